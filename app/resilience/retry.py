"""Retries that cannot make an outage worse.

A budget (as in Finagle and Linkerd) allows retries as a share of first tries: a service that fails one call
in a hundred is asked again, one that fails all of them is asked only a fifth more. Waits grow, with full
jitter, and no retry is begun that the deadline would cut off.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.resilience.deadline import remaining

T = TypeVar("T")


class Budget:
    """Earns ``share`` of a retry with every first try, up to ``most``; starts with ``start``."""

    def __init__(self, share: float = 0.2, *, start: float = 10.0, most: float = 100.0) -> None:
        self._share = share
        self._most = most
        self.balance = start

    def earn(self) -> None:
        """A first try was made."""
        self.balance = min(self._most, self.balance + self._share)

    def spend(self) -> bool:
        """Take a retry, if there is one."""
        if self.balance < 1.0:
            return False
        self.balance -= 1.0
        return True


async def retry(
    work: Callable[[], Awaitable[T]],
    *,
    on: tuple[type[Exception], ...],
    budget: Budget,
    attempts: int = 3,
    first_wait: float = 0.05,
    longest_wait: float = 2.0,
) -> T:
    """``await work()`` until it succeeds, raises something else, or no retry is left; then its last error."""
    budget.earn()
    attempt = 1
    while True:
        try:
            return await work()
        except on:
            wait = random.uniform(0, min(longest_wait, first_wait * 2.0 ** (attempt - 1)))  # noqa: S311
            if attempt >= attempts or wait >= remaining() or not budget.spend():
                raise
        await asyncio.sleep(wait)
        attempt += 1
