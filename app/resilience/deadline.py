"""Deadlines that travel: what is done for a request knows how long anybody will wait for it.

The deadline is a moment of ``time.monotonic`` in a context variable, so tasks inherit it; a nested deadline
can only be nearer. Calls to others send :func:`remaining` along (header ``x-deadline-ms``).

Stamina, tenacity and httpx have time-outs per call; none carries one from call to call.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar, Token

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


def remaining() -> float:
    """Seconds that are left; infinite without a deadline, never negative."""
    return max(0.0, _deadline.get() - time.monotonic())


@contextmanager
def deadline_at(moment: float) -> Iterator[None]:
    """Only say until when (in seconds of ``time.monotonic``); ending what is late is somebody else's task."""
    token = set_deadline(moment)
    try:
        yield
    finally:
        reset_deadline(token)


def set_deadline(moment: float) -> Token[float]:
    """As :func:`deadline_at`, for where every request comes by: a context manager costs as much as a read of
    the cache. :func:`reset_deadline` takes the token."""
    return _deadline.set(min(_deadline.get(), moment))


def reset_deadline(token: Token[float]) -> None:
    """Back to what :func:`set_deadline` found."""
    _deadline.reset(token)


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Everything inside ends within ``seconds``, or sooner if it must already; else ``TimeoutError``."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        async with asyncio.timeout(remaining()):
            yield
    finally:
        _deadline.reset(token)
