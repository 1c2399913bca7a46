"""One call for everything that is asked in the same moment.

A trip to Redis costs an event loop about as much as fifty more arguments to a script. So what is asked while
a trip is under way waits for the next one, and all of it travels together; what is asked alone goes at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class Together(Generic[A, R]):
    """``call`` answers many questions in one go, in their order; at most ``most`` of them."""

    def __init__(self, call: Callable[[Sequence[A]], Awaitable[Sequence[R]]], *, most: int = 200) -> None:
        self._call = call
        self._most = most
        self._waiting: list[tuple[A, asyncio.Future[R]]] = []
        self._calling: asyncio.Task[None] | None = None

    async def ask(self, question: A) -> R:
        """The answer to one; raises what the call raises. Who gives up waiting takes nothing along."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._calling is None:
            self._calling = asyncio.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                try:
                    answers = await self._call([question for question, _ in batch])
                except Exception as error:  # whatever it is, those who wait must hear of it
                    for _, future in batch:
                        if not future.done():
                            future.set_exception(error)
                else:
                    for (_, future), answer in zip(batch, answers, strict=True):
                        if not future.done():
                            future.set_result(answer)
        finally:
            self._calling = None
