"""Context fields (request ID, trace, job) that are added to the log lines of the current request or job.

Stored in one context variable with a small dictionary, which takes 0.1 µs to set; merging only happens for
lines that are logged.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

from structlog.types import EventDict

current: ContextVar[Mapping[str, str]] = ContextVar("current", default=MappingProxyType({}))


def merge(_: object, __: str, event: EventDict) -> EventDict:
    """Structlog processor: add the context fields to an event."""
    for name, value in current.get().items():
        event.setdefault(name, value)
    return event


def trace() -> str:
    """Return the trace ID of the current request for the payload of a job; empty outside of a request."""
    return current.get().get("trace_id", "")


def traceparent(fields: Mapping[str, str]) -> str:
    """Return the W3C ``traceparent`` of these context fields."""
    return f"00-{fields['trace_id']}-{fields['span_id']}-{fields['trace_flags']}"


def follow(trace_id: str) -> None:
    """Make the current job part of the trace ``trace_id``; its log lines and outgoing calls carry it."""
    if trace_id:
        fields = {"trace_id": trace_id, "span_id": secrets.token_hex(8), "trace_flags": "00"}
        current.set({**current.get(), **fields})
