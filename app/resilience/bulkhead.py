"""A bulkhead: bounds the concurrent and waiting calls of one dependency, so that it cannot exhaust the
pod.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class BulkheadFull(Exception):  # noqa: N818 (a state, not an error)
    """The limits on concurrent and waiting calls are reached, or the wait timed out."""


class Bulkhead:
    """At most ``max_concurrent`` calls run and ``max_waiting`` wait, each for up to ``max_wait_seconds``.

    ``waiting`` is the current number of waiting calls.
    """

    def __init__(
        self, name: str, *, max_concurrent: int, max_waiting: int = 0, max_wait_seconds: float = 1.0
    ) -> None:
        self.name = name
        self._permits = asyncio.Semaphore(max_concurrent)
        self._max_waiting = max_waiting
        self._max_wait_seconds = max_wait_seconds
        self.waiting = 0

    @asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        """Acquire a permit for the block. Raises :class:`BulkheadFull` if none is released in time."""
        if self._permits.locked():
            await self._wait()
        else:
            await self._permits.acquire()
        try:
            yield
        finally:
            self._permits.release()

    async def _wait(self) -> None:
        if self.waiting >= self._max_waiting:
            raise BulkheadFull(self.name)
        self.waiting += 1
        try:
            async with asyncio.timeout(self._max_wait_seconds):
                await self._permits.acquire()
        except TimeoutError as error:
            raise BulkheadFull(self.name) from error
        finally:
            self.waiting -= 1
