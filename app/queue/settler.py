"""Ends leases, everything that ends in the same moment in one call to Redis."""

from __future__ import annotations

import asyncio
from typing import Final

from app.queue.jobs import Ending
from app.queue.queue import Queue

_MOST_TOGETHER: Final = 200


class Settler:
    """Short jobs end by the dozen: one call each would cost more than the jobs."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._waiting: list[tuple[Ending, asyncio.Future[bool]]] = []
        self._telling: asyncio.Task[None] | None = None

    async def settle(self, ending: Ending) -> bool:
        """As :meth:`Queue.settle` does for one; raises what that raises."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((ending, answer))
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell())
        return await answer

    async def _tell(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST_TOGETHER], self._waiting[_MOST_TOGETHER:]
                try:
                    settled = await self._queue.settle(*(ending for ending, _ in batch))
                except Exception as error:  # whatever it is, those who wait must hear of it
                    for _, answer in batch:
                        if not answer.done():
                            answer.set_exception(error)
                else:
                    for (_, answer), held in zip(batch, settled, strict=True):
                        if not answer.done():
                            answer.set_result(held)
        finally:
            self._telling = None
