"""A forecast of the measured machine against a run: inside, outside, other mixes, refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rehearsal.forecast.calibration import CalibrationError
from rehearsal.forecast.validation import compare, mixture
from tests.rehearsal.forecast.factories import calibration

TIMES = tuple(0.004 + 0.0005 * index for index in range(20))
MIXED = calibration()
# Both operations take as long as each other.
CALIBRATION = replace(
    MIXED, operations={name: replace(each, quantiles=TIMES) for name, each in MIXED.operations.items()}
)


def run(p95: float, **changes: Any) -> dict[str, Any]:
    """100 requests/s, of which a quarter are creations, on two replicas."""
    windows = [{"at": at, "seconds": 10.0, "arrivals": 1000, "p95": p95} for at in (5, 15, 25)]
    return {
        "kind": "run", "invalid": list[str](), "machine": CALIBRATION.machine, "windows": windows,
        "endpoints": {"GET /v1/feed": {"arrivals": 750}, "POST /v1/contents": {"arrivals": 250}},
        "platform": [{"at": 1.0, "replicas": {"api": 2}}],
    } | changes  # fmt: skip


def test_a_time_as_at_low_load_is_inside_the_interval() -> None:
    found = compare(CALIBRATION, run(0.0155), forecast_replicas=3)
    assert found.covered == 1.0
    assert abs(found.error) < 0.3
    assert found.holds
    assert "replicas of api: at most 2 measured, 3 forecast: holds" in found.to_text()


def test_the_interval_is_wider_with_fewer_requests_in_the_window_or_the_calibration() -> None:
    def high(arrivals: int, requests: int) -> float:
        windows = [{"at": 5, "seconds": arrivals / 100, "arrivals": arrivals, "p95": 0.0155}]
        (window,) = compare(replace(CALIBRATION, requests=requests), run(0.0, windows=windows), 2).windows
        return window.high

    assert high(4000, 4000) < high(200, 4000)
    assert high(200, 4000) == high(4000, 200)


def test_a_time_beyond_the_interval_or_other_replicas_miss() -> None:
    slow = compare(CALIBRATION, run(0.1), forecast_replicas=2)
    assert slow.covered == 0.0
    assert slow.error < -0.3
    assert not slow.holds
    assert "outside" in slow.to_text()
    assert not compare(CALIBRATION, run(0.0155), forecast_replicas=4).holds


def test_times_of_another_mix_are_those_of_its_operations() -> None:
    # 4, 6 and 8 ms, or 12, 18 and 24 ms at low load.
    reads = run(0.024, endpoints={"GET /v1/feed": {"arrivals": 9}})
    creations = run(0.024, endpoints={"POST /v1/contents": {"arrivals": 9}})
    assert compare(MIXED, reads, forecast_replicas=2).windows[0].forecast == pytest.approx(0.008, rel=0.2)
    assert compare(MIXED, creations, forecast_replicas=2).windows[0].forecast >= 0.024


def test_quantiles_of_a_mix_are_weighted_by_its_shares() -> None:
    times = mixture(MIXED, {"GET /v1/feed": 0.9, "POST /v1/contents": 0.1})
    assert sorted(times) == list(times)
    assert sum(each <= 0.008 for each in times) == 90
    assert times[-1] == 0.024


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "capacity"}, "validated with the JSON of `kingdom load run"),
        ({"invalid": ["the scheduler lagged"]}, "invalid: the scheduler lagged"),
        ({"machine": "another, 8 cores, 16 GiB"}, "only runs of one machine can be compared"),
        ({"endpoints": {"GET /v1/new": {"arrivals": 1}}}, "no time of GET /v1/new"),
    ],
)
def test_a_run_that_cannot_be_compared_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        compare(CALIBRATION, run(0.01, **changes), forecast_replicas=2)
