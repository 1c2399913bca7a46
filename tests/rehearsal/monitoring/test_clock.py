"""Timestamps never go back, and jumps are reported once."""

from __future__ import annotations

from rehearsal.monitoring.clock import RecordingClock


class Clocks:
    def __init__(self) -> None:
        self.wall, self.monotonic = 1000.0, 0.0

    def advance(self, seconds: float, jump: float = 0.0) -> None:
        self.monotonic += seconds
        self.wall += seconds + jump


def test_timestamps_follow_the_wall_clock() -> None:
    clocks = Clocks()
    clock = RecordingClock(0.0, lambda: clocks.wall, lambda: clocks.monotonic)
    assert clock.now() == (1000.0, "")
    clocks.advance(15.0, jump=0.2)
    assert clock.now() == (1015.2, "")


def test_a_jump_back_is_reported_once_and_time_continues() -> None:
    clocks = Clocks()
    clock = RecordingClock(0.0, lambda: clocks.wall, lambda: clocks.monotonic)
    clock.now()
    clocks.advance(15.0, jump=-3600.0)
    at, message = clock.now()
    assert at == 1015.0
    assert "moved back by 3600 s" in message
    clocks.advance(15.0)
    assert clock.now() == (1030.0, "")
    clocks.advance(15.0, jump=3600.0)  # corrected
    assert clock.now() == (1045.0, "")


def test_a_jump_forward_is_reported() -> None:
    clocks = Clocks()
    clock = RecordingClock(0.0, lambda: clocks.wall, lambda: clocks.monotonic)
    clock.now()
    clocks.advance(15.0, jump=7200.0)
    at, message = clock.now()
    assert at == 8215.0
    assert "moved forward by 7200 s" in message


def test_clock_continues_after_the_last_recorded_timestamp() -> None:
    clocks = Clocks()
    clock = RecordingClock(5000.0, lambda: clocks.wall, lambda: clocks.monotonic)
    assert clock.now()[0] > 5000.0


def test_a_pause_of_the_recorder_is_not_a_jump_of_the_clock() -> None:
    clocks = Clocks()
    clock = RecordingClock(100.0, lambda: clocks.wall, lambda: clocks.monotonic)
    assert clock.now() == (1000.0, "the recorder did not run for 900 s; nothing was recorded between")
    clocks.advance(15.0)
    assert clock.now() == (1015.0, "")


def test_a_recording_that_is_ahead_of_the_clock_is_reported_once() -> None:
    clocks = Clocks()
    clock = RecordingClock(5000.0, lambda: clocks.wall, lambda: clocks.monotonic)
    assert "the last recorded timestamp is 4000 s ahead" in clock.now()[1]
    clocks.advance(15.0)
    at, message = clock.now()
    assert (round(at), message, clock.wall) == (5015, "", 1015.0)
