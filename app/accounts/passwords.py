"""Password hashes: argon2id in separate threads, so that hashing never blocks the event loop.

Parameters are OWASP's (19 MiB, two passes, one lane). The number of threads and the length of their queue are
bounded: above the bound a sign-in is refused, instead of exhausting the memory of the pod.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.http import text
from app.http.problems import UNAVAILABLE, Problem

P = ParamSpec("P")
T = TypeVar("T")

_THREADS: Final = 2
_MAX_WAITING: Final = 64


class Passwords:
    """Hashes and checks passwords, at most two at a time."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="argon2")
        self._waiting = 0
        # Verified in place of a missing hash, so that the time does not show which addresses have an account.
        self._dummy = self._hasher.hash("dummy")

    async def hash(self, password: str) -> str:
        """Return the encoded hash, with its salt and parameters."""
        return await self._run(self._hasher.hash, text.password(password))

    async def matches(self, password: str, encoded: str | None) -> bool:
        """Whether ``password`` has the hash ``encoded``; takes the same time if there is none."""
        matched = await self._run(self._verify, encoded or self._dummy, text.password(password))
        return matched and bool(encoded)

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, encoded: str, password: str) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        if self._waiting >= _MAX_WAITING:
            raise Problem(UNAVAILABLE, "Too many sign-ins at once; try again.", headers={"retry-after": "1"})
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, partial(work, *arguments, **named))
        finally:
            self._waiting -= 1
