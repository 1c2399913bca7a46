"""The evaluation of a run against TGT1 to TGT3, and the generator's health."""

from __future__ import annotations

import pytest

from loadtest.generator.recorder import Recorder
from loadtest.targets import Finding, evaluate


def findings(recorder: Recorder, seconds: int = 10) -> dict[str, Finding]:
    total = recorder.window(0, seconds)
    per_second = [recorder.window(at, at + 1) for at in range(seconds)]
    found = evaluate(total, per_second, 1000.0, 0.01)
    return {f"{each.target} {each.measure.split(' (')[0]}": each for each in found}


def recorded(seconds: float, *, slow: int = 0, failed: int = 0, dropped: int = 0) -> Recorder:
    recorder = Recorder()
    for number in range(1000):
        due = number / 100
        took = 2.0 if number < slow else seconds
        error = "HTTP 500" if number % 100 < failed else ""
        recorder.done("/v1/feed", due, due, due + took, error)
    for _ in range(dropped):
        recorder.dropped("/v1/feed", 5.5)
    return recorder


def test_a_fast_run_without_errors_meets_all_targets() -> None:
    found = findings(recorded(0.05))
    assert [each.target for each in found.values() if not each.holds] == []
    assert len(found) == 6


@pytest.mark.parametrize(
    ("recorder", "missed"),
    [
        (recorded(0.3), ["TGT1 P50"]),
        (recorded(0.05, slow=60), ["TGT1 P95", "TGT1 P99"]),
        (recorded(0.05, slow=15), ["TGT1 P99"]),
        (recorded(0.05, failed=2), ["TGT2 arrivals served", "TGT3 errors"]),
        (recorded(0.05, dropped=20), ["TGT2 arrivals served", "TGT3 errors"]),
        (Recorder(), ["TGT2 arrivals served",
                      "TGT3 seconds in which at least half of the arrivals succeeded"]),
    ],
)  # fmt: skip
def test_a_missed_target_is_named(recorder: Recorder, missed: list[str]) -> None:
    assert [name for name, each in findings(recorder).items() if not each.holds] == missed


def test_a_second_without_success_counts_as_unavailable() -> None:
    recorder = recorded(0.05)
    for _ in range(150):
        recorder.dropped("/v1/feed", 7.5)
    found = findings(recorder)["TGT3 seconds in which at least half of the arrivals succeeded"]
    assert not found.holds
    assert found.measured == "90.00%"
