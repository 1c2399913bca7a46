"""Delays between restarts."""

from __future__ import annotations

from rehearsal.host.processes.restart_backoff import Backoff


def test_delay_doubles_up_to_a_minute() -> None:
    backoff = Backoff()
    assert [backoff.next(1) for _ in range(9)] == [0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_delay_is_reset_after_ten_minutes_of_running() -> None:
    backoff = Backoff(failures=5)
    assert backoff.next(599.9) == 16
    assert backoff.next(600) == 0
    assert backoff.next(1) == 1
