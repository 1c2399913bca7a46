"""Headers of outgoing calls: the trace (W3C Trace Context) and the remaining time until the deadline."""

from __future__ import annotations

import math

import httpx

from app.resilience.deadline import remaining
from app.telemetry import context


def traceparent() -> str | None:
    """Return the ``traceparent`` header for a child call of the current request or job; ``None`` outside of
    one.
    """
    fields = context.current.get()
    if "trace_id" not in fields:
        return None
    return context.traceparent(fields)


async def add_headers(request: httpx.Request) -> None:
    """Request hook for :mod:`httpx` clients that adds the headers."""
    parent = traceparent()
    if parent is not None:
        request.headers["traceparent"] = parent
    seconds = remaining()
    if seconds < math.inf:
        request.headers["x-deadline-ms"] = str(int(seconds * 1000))
