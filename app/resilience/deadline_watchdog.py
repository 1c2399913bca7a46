"""Deadlines of many tasks, looked after by one: two dictionary writes a request instead of a timer of its
own.

A timer of the event loop costs about as much as a cached answer does. Requests run for seconds at most, so a
look at all of them every 50 ms ends none of them noticeably late.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

_TICK_SECONDS: Final = 0.05


class Watch:
    """Cancels the tasks whose time is over."""

    def __init__(self) -> None:
        self._until: dict[asyncio.Task[Any], float] = {}
        self.ended = 0

    def enter(self, task: asyncio.Task[Any], until: float) -> None:
        """From now on ``task`` ends at ``until``, in seconds of ``time.monotonic``."""
        self._until[task] = until

    def leave(self, task: asyncio.Task[Any]) -> bool:
        """No longer; ``True`` when it was cancelled from here, so that a ``CancelledError`` is a time-out."""
        return self._until.pop(task, None) is None

    async def run(self) -> None:
        """Look after the tasks until cancelled."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            now = time.monotonic()
            for task in [task for task, until in self._until.items() if until <= now]:
                del self._until[task]
                self.ended += 1
                task.cancel()
