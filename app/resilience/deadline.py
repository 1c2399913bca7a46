"""Deadlines that propagate: work done for a request inherits the request's deadline.

The deadline is a time of ``time.monotonic`` in a context variable, so tasks inherit it; a nested deadline can
only be earlier. Outgoing calls send :func:`remaining` in the header ``x-deadline-ms``.

Stamina, tenacity and httpx have timeouts per call; none propagates one across calls.
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
    """Return the seconds until the deadline: infinite without one, never negative."""
    return max(0.0, _deadline.get() - time.monotonic())


@contextmanager
def deadline_at(moment: float) -> Iterator[None]:
    """Set the deadline (seconds of ``time.monotonic``) without cancelling work that exceeds it."""
    token = set_deadline(moment)
    try:
        yield
    finally:
        reset_deadline(token)


def set_deadline(moment: float) -> Token[float]:
    """Like :func:`deadline_at` without the context manager's overhead, for the hot path of every request.
    Pass the returned token to :func:`reset_deadline`.
    """
    return _deadline.set(min(_deadline.get(), moment))


def reset_deadline(token: Token[float]) -> None:
    """Restore the deadline before :func:`set_deadline`."""
    _deadline.reset(token)


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Limit the block to ``seconds``, or to an earlier deadline; raises ``TimeoutError``."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        async with asyncio.timeout(remaining()):
            yield
    finally:
        _deadline.reset(token)
