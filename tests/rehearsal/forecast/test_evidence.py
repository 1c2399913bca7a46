"""Evidence of a forecast: the measurements and assumptions that it states."""

from __future__ import annotations

from rehearsal.forecast.evidence import evidence
from tests.rehearsal.forecast.test_simulation import forecast


def test_a_forecast_states_what_is_measured_extrapolated_and_assumed() -> None:
    found = {(each.kind, each.text) for each in evidence(forecast(60_000, max_replicas=20))}
    texts = {kind: " ".join(text for each, text in found if each == kind) for kind, _ in found}
    assert "api 5 (4.5 to 5.5)" in texts["measured"]
    assert "rises up to 64 requests in flight" in texts["measured"]
    assert "6,000 requests/s is 60 times the highest measured rate" in texts["extrapolated"]
    assert "more than the measured 64 in flight" in texts["extrapolated"]
    assert "a pod starts in 20 s, a node in 120 s" in texts["assumed"]
    low = {each.kind for each in evidence(forecast(2_000))}
    assert low == {"measured", "assumed"}
