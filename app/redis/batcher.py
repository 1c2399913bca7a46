"""One call for everything that is asked in the same moment.

A trip to Redis costs an event loop about as much as fifty more arguments to a script. So what is asked while
a trip is under way waits for the next one, and all of it travels together; what is asked alone goes at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class Together(Generic[A, R]):
    """``call`` answers many questions in one go, in their order: as many as weigh ``most`` together, or one.

    ``weigh`` says what a question weighs; without it each weighs 1.
    """

    def __init__(
        self,
        call: Callable[[Sequence[A]], Awaitable[Sequence[R]]],
        *,
        most: int = 200,
        weigh: Callable[[A], int] | None = None,
    ) -> None:
        self._call = call
        self._most = most
        self._weigh = weigh
        self._waiting: list[tuple[A, asyncio.Future[R]]] = []
        self._calling: asyncio.Task[None] | None = None

    async def ask(self, question: A) -> R:
        """The answer to one; raises what the call raises. Who gives up waiting takes nothing along."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._calling is None:
            # In a context of its own: it asks for everybody, and must not end at the first one's deadline.
            self._calling = asyncio.create_task(self._work(), context=Context())
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                count = self._count()
                batch, self._waiting = self._waiting[:count], self._waiting[count:]
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

    def _count(self) -> int:
        """How many of those that wait go together next."""
        if self._weigh is None:
            return self._most
        weight = 0
        for at, (question, _) in enumerate(self._waiting):
            weight += self._weigh(question)
            if weight > self._most:
                return max(1, at)
        return len(self._waiting)
