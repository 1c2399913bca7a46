"""Passwords: argon2id, in threads of their own so that hashing never holds up the event loop.

Parameters are OWASP's (19 MiB, two passes, one lane). The threads are few and the line in front of them is
bounded: under a flood of sign-ins the pod refuses some instead of running out of memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.http.problems import UNAVAILABLE, Problem

P = ParamSpec("P")
T = TypeVar("T")

_THREADS: Final = 2
_WAITING: Final = 64


class Passwords:
    """Hashes and checks passwords, at most two at a time."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="argon2")
        self._waiting = 0
        # Checked when there is no account, so that the time taken does not tell who has one.
        self._nobody = self._hasher.hash("nobody")

    async def hash(self, password: str) -> str:
        """The encoded hash, with its salt and parameters."""
        return await self._run(self._hasher.hash, password)

    async def matches(self, password: str, encoded: str | None) -> bool:
        """Whether ``password`` is the one; takes the same time when there is nothing to compare it with."""
        matched = await self._run(self._verify, encoded or self._nobody, password)
        return matched and encoded is not None

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, encoded: str, password: str) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        if self._waiting >= _WAITING:
            raise Problem(UNAVAILABLE, "Too many are signing in; try again.", headers={"retry-after": "1"})
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, partial(work, *arguments, **named))
        finally:
            self._waiting -= 1
