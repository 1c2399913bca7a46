"""Deadlines of many tasks, enforced by one loop: two dictionary writes per request instead of a timer.

A timer of the event loop costs about as much as a cached response. Requests run for seconds, so a check every
50 ms is precise enough.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

_TICK_SECONDS: Final = 0.05


class DeadlineWatchdog:
    """Cancels tasks that exceed their deadline. ``cancelled`` counts them."""

    def __init__(self) -> None:
        self._deadlines: dict[asyncio.Task[Any], float] = {}
        self._expired: set[asyncio.Task[Any]] = set()  # cancelled here and still watched
        self.cancelled = 0

    def watch(self, task: asyncio.Task[Any], deadline: float) -> None:
        """Cancel ``task`` at ``deadline``, in seconds of ``time.monotonic``, unless it is unwatched
        before.
        """
        self._deadlines[task] = deadline

    def unwatch(self, task: asyncio.Task[Any]) -> bool:
        """Stop watching ``task``. Return whether it was cancelled here: its ``CancelledError`` is a
        timeout.

        ``False`` for a task that is not watched, such as one that was unwatched before.
        """
        if self._deadlines.pop(task, None) is not None or task not in self._expired:
            return False
        self._expired.remove(task)
        return True

    async def run(self) -> None:
        """Check the deadlines every 50 ms until cancelled."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            now = time.monotonic()
            for task in [task for task, deadline in self._deadlines.items() if deadline <= now]:
                del self._deadlines[task]
                self._expired.add(task)
                self.cancelled += 1
                task.cancel()
