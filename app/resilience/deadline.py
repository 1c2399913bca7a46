"""Deadlines that travel: what is done for a request knows how long anybody will wait for it.

The deadline is a moment of ``time.monotonic`` in a context variable, so tasks inherit it; a nested deadline
can only be nearer. Calls to others send :func:`remaining` along (header ``x-deadline-ms``).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


def remaining() -> float:
    """Seconds that are left; infinite without a deadline, never negative."""
    return max(0.0, _deadline.get() - time.monotonic())


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Everything inside ends within ``seconds``, or sooner if it must already; else ``TimeoutError``."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        async with asyncio.timeout(remaining()):
            yield
    finally:
        _deadline.reset(token)
