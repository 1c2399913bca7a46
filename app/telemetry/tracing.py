"""What calls to others carry along: the trace (W3C Trace Context) and how long anybody will wait."""

from __future__ import annotations

import math

import httpx

from app.resilience.deadline import remaining
from app.telemetry import context


def traceparent() -> str | None:
    """The header that makes the next call a child of the request or job at hand; ``None`` outside of one."""
    known = context.current.get()
    if "trace_id" not in known:
        return None
    return f"00-{known['trace_id']}-{known['span_id']}-{known['trace_flags']}"


async def announce(request: httpx.Request) -> None:
    """A request hook for :mod:`httpx` clients."""
    parent = traceparent()
    if parent is not None:
        request.headers["traceparent"] = parent
    left = remaining()
    if left < math.inf:
        request.headers["x-deadline-ms"] = str(int(left * 1000))
