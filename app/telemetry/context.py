"""What is known about the request or job at hand, wherever code runs for it.

One context variable with one small dictionary: binding it costs a tenth of a microsecond, and the rest is
only paid by lines that are really written.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

from structlog.types import EventDict

current: ContextVar[Mapping[str, str]] = ContextVar("current", default=MappingProxyType({}))


def merge(_: object, __: str, event: EventDict) -> EventDict:
    """A structlog processor: the fields of the current request stand on each of its lines."""
    for name, value in current.get().items():
        event.setdefault(name, value)
    return event


def trace() -> str:
    """The trace of the request at hand, for a job to go on with; empty outside of one."""
    return current.get().get("trace_id", "")


def follow(trace_id: str) -> None:
    """Let the job at hand belong to a trace; its lines and calls carry it."""
    if trace_id:
        names = {"trace_id": trace_id, "span_id": secrets.token_hex(8), "trace_flags": "00"}
        current.set({**current.get(), **names})
