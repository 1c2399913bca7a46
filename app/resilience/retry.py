"""Retries that cannot amplify an outage.

A budget (as in Finagle and Linkerd) allows retries as a ratio of first attempts: a service that fails one
call in a hundred is retried, one that fails all calls gets only a fifth more. Delays grow exponentially with
full jitter, and no retry starts that the deadline would cut off.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.resilience.deadline import remaining

T = TypeVar("T")


class RetryBudget:
    """Earns ``ratio`` of a retry per first attempt, up to ``max_balance``; starts with ``initial``
    retries.
    """

    def __init__(self, ratio: float = 0.2, *, initial: float = 10.0, max_balance: float = 100.0) -> None:
        self._ratio = ratio
        self._max_balance = max_balance
        self.balance = initial

    def earn(self) -> None:
        """Record a first attempt."""
        self.balance = min(self._max_balance, self.balance + self._ratio)

    def spend(self) -> bool:
        """Take a retry from the budget. Return whether one was available."""
        if self.balance < 1.0:
            return False
        self.balance -= 1.0
        return True


async def retry(
    work: Callable[[], Awaitable[T]],
    *,
    retry_on: tuple[type[Exception], ...],
    budget: RetryBudget,
    attempts: int = 3,
    wait_initial: float = 0.05,
    wait_max: float = 2.0,
) -> T:
    """Return ``await work()``, retried on the exceptions ``retry_on`` within ``attempts`` and the budget.

    ``wait_initial`` and ``wait_max`` are seconds: the upper bound of the first delay, which doubles, and its
    maximum. Raises the last error if no retry is left.
    """
    budget.earn()
    attempt = 1
    while True:
        try:
            return await work()
        except retry_on:
            delay = random.uniform(0, min(wait_max, wait_initial * 2.0 ** (attempt - 1)))  # noqa: S311
            if attempt >= attempts or delay >= remaining() or not budget.spend():
                raise
        await asyncio.sleep(delay)
        attempt += 1
