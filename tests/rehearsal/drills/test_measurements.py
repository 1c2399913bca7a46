"""Measurements of a fault from the requests of its clients."""

from __future__ import annotations

from rehearsal.drills.history import Completion, History, RecordedOperation
from rehearsal.drills.measurements import measure, within_targets


def request(at: float, seconds: float = 0.05, *, status: int | None = 200) -> RecordedOperation:
    outcome = Completion.OK if status == 200 else Completion.INFO
    return RecordedOperation(0, "get", None, at - seconds, at, outcome, status=status)


def steady(first: int, last: int) -> list[RecordedOperation]:
    return [request(second + tenth / 10) for second in range(first, last) for tenth in range(10)]


def test_slow_or_failed_requests_are_outside_the_targets() -> None:
    assert within_targets(steady(0, 10))
    assert not within_targets([*steady(0, 10), *(request(9, status=503) for _ in range(2))])
    assert not within_targets([*steady(0, 10), *(request(9, 0.9) for _ in range(9))])
    assert not within_targets(steady(0, 1))


def test_recovery_is_the_first_good_window_after_the_fault() -> None:
    failing = [request(20 + number / 10, status=None) for number in range(50)]
    found = measure(History([*steady(0, 20), *failing, *steady(25, 60)]), 20.0, 60.0, 21.5)
    assert (found.baseline, found.detected, found.recovered) == (True, 1.5, 5.0)
    assert (found.errors, found.worst) == (50, 1.0)


def test_no_recovery_without_a_good_window() -> None:
    failing = [request(20 + number / 10, status=503) for number in range(400)]
    found = measure(History([*steady(0, 20), *failing]), 20.0, 60.0, None)
    assert (found.recovered, found.detected) == (None, None)


def test_a_hang_is_measured_by_what_was_served_and_when_all_was_again() -> None:
    hanging = [request(20 + number / 10, status=503 if number % 4 else 200) for number in range(130)]
    # Slow at first: used again, but not yet within the targets.
    slow = [request(33 + number / 10, 2.0) for number in range(100)]
    found = measure(History([*steady(0, 20), *hanging, *slow, *steady(43, 70)]), 20.0, 70.0, None, 30.0)
    assert {name: round(share, 1) for name, share in found.served.items()} == {"get": 0.2}
    assert (found.used_again, found.recovered) == (3.0, 23.0)
