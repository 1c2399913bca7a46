"""What is known about the request or job at hand, wherever code runs for it.

One context variable with one small dictionary: binding it costs a tenth of a microsecond, and the rest is
only paid by lines that are really written.
"""

from __future__ import annotations

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
