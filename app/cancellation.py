"""``asyncio.wait_for`` as in Python 3.12, for the database drivers on Python 3.11.

Python 3.11 runs the awaitable in a second task. If the caller is cancelled while that task ends after the
timeout, the task is left behind. In PyMongo it then acquires a lock for good, and every later
operation of the client waits without a limit: a pod did not recover from an outage of MongoDB in which
operations were cancelled. A cancellation that arrives together with the result is also dropped, so loops over
Redis commands would not end (CPython issue 86296).

Since Python 3.12 the awaitable runs in the task of the caller. asyncpg has the same replacement.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def wait_for(fut: Awaitable[T], timeout: float | None) -> T:  # noqa: ASYNC109 (as asyncio's)
    """Return the result of ``fut``; raises ``TimeoutError`` after ``timeout`` seconds."""
    async with asyncio.timeout(timeout):
        return await fut


def replace_wait_for() -> None:
    """Replace ``asyncio.wait_for`` in this process, before Python 3.12.

    PyMongo and redis-py call it by this name, except ``pymongo.lock``, which imports the function.
    """
    if sys.version_info < (3, 12):
        import pymongo.lock

        for module in (asyncio, pymongo.lock):
            module.__dict__["wait_for"] = wait_for
