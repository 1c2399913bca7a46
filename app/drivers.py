"""Corrections of the database drivers: ``asyncio.wait_for`` as in Python 3.12, and limits of TLS handshakes.

Python 3.11 runs the awaitable in a second task. After the timeout it cancels that task and waits for its
end; a cancellation of the caller during this wait leaves the task running. In PyMongo the task is
``Condition.wait``, which acquires the lock of the condition again before it ends. No task releases it then,
and every later operation of the client waits for the lock without a timeout: a pod did not recover after an
outage of MongoDB in which operations were cancelled. A cancellation that arrives together with the result is
dropped (CPython issue 86296), so loops over Redis commands did not end.

Since Python 3.12 the awaitable runs in the task of the caller. asyncpg has a similar replacement.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


async def wait_for(fut: Awaitable[T], timeout: float | None) -> T:  # noqa: ASYNC109 (as asyncio's)
    """Return the result of ``fut``; raises ``TimeoutError`` after ``timeout`` seconds.

    With a timeout of 0 or less, a coroutine is not started.
    """
    if timeout is not None and timeout <= 0:
        task = asyncio.ensure_future(fut)
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        try:
            return task.result()
        except asyncio.CancelledError as error:
            raise TimeoutError from error
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


def limit_handshakes() -> None:
    """Apply PyMongo's ``connectTimeoutMS`` to the TLS handshake of a connection too.

    PyMongo (4.20) limits only the TCP connection, so a handshake without a response takes the 60 s of the
    event loop. The only connection that checks a server waits as long, also if the server is back.
    """
    from pymongo.asynchronous import pool

    configured = pool._configured_protocol_interface

    @functools.wraps(configured)
    async def limited(address: Any, options: Any, *arguments: Any) -> Any:
        async with asyncio.timeout(options.connect_timeout):
            return await configured(address, options, *arguments)

    pool.__dict__["_configured_protocol_interface"] = limited
