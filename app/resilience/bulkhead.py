"""A bulkhead: so many calls at a time, so many waiting, and no more; one slow dependency sinks alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class BulkheadFull(Exception):  # noqa: N818 (a state, not a mistake)
    """As many calls run and wait as may."""


class Bulkhead:
    """At most ``calls`` inside, at most ``waiting`` in front, each for at most ``patience`` seconds."""

    def __init__(self, name: str, *, calls: int, waiting: int = 0, patience: float = 1.0) -> None:
        self.name = name
        self._room = asyncio.Semaphore(calls)
        self._most_waiting = waiting
        self._patience = patience
        self.waiting = 0

    @asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        """Hold a place; :class:`BulkheadFull` when there is none in time."""
        if self._room.locked():
            await self._wait()
        else:
            await self._room.acquire()
        try:
            yield
        finally:
            self._room.release()

    async def _wait(self) -> None:
        if self.waiting >= self._most_waiting:
            raise BulkheadFull(self.name)
        self.waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                await self._room.acquire()
        except TimeoutError as error:
            raise BulkheadFull(self.name) from error
        finally:
            self.waiting -= 1
