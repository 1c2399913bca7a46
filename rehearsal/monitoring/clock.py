"""Timestamps of scrapes: the wall clock, protected against jumps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

# NTP slews by at most 0.5 ms a second; more than this between two scrapes is a jump.
JUMP_SECONDS: Final = 5.0


class RecordingClock:
    """A clock that never goes back, because samples must be in order.

    If the wall clock jumps back, time continues from the last timestamp until the wall clock has caught up.
    If it jumps forward, as after a suspend, the recording has a gap.
    """

    def __init__(
        self,
        last: float = 0.0,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._last = last
        self._at = monotonic()
        self._started = not last
        self._ahead = False
        self.wall = 0.0  # the latest value of the wall clock

    def now(self) -> tuple[float, str]:
        """Return the current timestamp, later than the last one, and a message if the clock has jumped."""
        wall, at = self._wall(), self._monotonic()
        expected = self._last + (at - self._at) if self._last else wall
        self._at, self.wall = at, wall
        message = ""
        started, self._started = self._started, True
        if wall < expected - JUMP_SECONDS:
            if not self._ahead:
                message = (
                    f"the wall clock moved back by {expected - wall:.0f} s; timestamps continue from the"
                    " last one until it has caught up"
                    if started
                    else f"the last recorded timestamp is {expected - wall:.0f} s ahead of the wall clock;"
                    " timestamps continue from it until the clock has caught up"
                )
            self._ahead = True
            self._last = max(expected, self._last + 0.001)
            return self._last, message
        if self._last and wall > expected + JUMP_SECONDS:
            # The monotonic clock of this process does not cover the time before its start.
            message = (
                f"the wall clock moved forward by {wall - expected:.0f} s; nothing was recorded between"
                if started
                else f"the recorder did not run for {wall - self._last:.0f} s; nothing was recorded between"
            )
        self._ahead = False
        self._last = max(wall, self._last + 0.001)
        return self._last, message
