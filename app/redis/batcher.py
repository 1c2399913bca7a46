"""Batching of concurrent requests into one call.

A round trip to Redis costs the event loop about as much as fifty more script arguments. Requests that arrive
during a call are sent together in the next one; a single request is sent immediately.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

Request = TypeVar("Request")
Reply = TypeVar("Reply")


class Batcher(Generic[Request, Reply]):
    """Collects concurrent requests and passes them to ``call``, which returns replies in the same order.

    A batch weighs at most ``max_weight`` in total, but holds at least one request. ``weight`` returns the
    weight of a request; by default each weighs 1.
    """

    def __init__(
        self,
        call: Callable[[Sequence[Request]], Awaitable[Sequence[Reply]]],
        *,
        max_weight: int = 200,
        weight: Callable[[Request], int] | None = None,
    ) -> None:
        self._call = call
        self._max_weight = max_weight
        self._weight = weight
        self._pending: list[tuple[Request, asyncio.Future[Reply]]] = []
        self._sending: asyncio.Task[None] | None = None

    async def submit(self, request: Request) -> Reply:
        """Return the reply to ``request``; raises the errors of the call. Cancelling does not affect other
        requests.
        """
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._pending.append((request, reply))
        if self._sending is None:
            # In an empty context: the call serves all callers, so the first caller's deadline must not apply.
            self._sending = asyncio.create_task(self._send_batches(), context=Context())
        return await reply

    async def _send_batches(self) -> None:
        try:
            while self._pending:
                count = self._count()
                batch, self._pending = self._pending[:count], self._pending[count:]
                try:
                    replies = await self._call([request for request, _ in batch])
                except Exception as error:  # every caller receives the error
                    for _, future in batch:
                        if not future.done():
                            future.set_exception(error)
                else:
                    for (_, future), reply in zip(batch, replies, strict=True):
                        if not future.done():
                            future.set_result(reply)
        finally:
            self._sending = None

    def _count(self) -> int:
        """Return the number of pending requests in the next batch."""
        if self._weight is None:
            return self._max_weight
        total = 0
        for at, (request, _) in enumerate(self._pending):
            total += self._weight(request)
            if total > self._max_weight:
                return max(1, at)
        return len(self._pending)
