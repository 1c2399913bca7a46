"""Kubernetes events that the controllers and the scheduler report about objects."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass

# The API server drops events after an hour (--event-ttl); a count limit is sufficient here.
_MAX_EVENTS = 200


@dataclass(frozen=True)
class EventRecord:
    """An event and the number of its occurrences. `last` is in seconds since the epoch."""

    object: str
    type: str
    reason: str
    message: str
    count: int
    last: float


class EventLog:
    """The most recent events; a repeated event increments its count."""

    def __init__(self) -> None:
        self._events: OrderedDict[tuple[str, str, str], EventRecord] = OrderedDict()

    def record(self, object_: str, type_: str, reason: str, message: str) -> None:
        """Add an event about `object_`, such as `Pod kingdom/api-1`; `type_` is Normal or Warning."""
        key = (object_, reason, message)
        before = self._events.pop(key, None)
        count = before.count + 1 if before else 1
        self._events[key] = EventRecord(object_, type_, reason, message, count, time.time())
        while len(self._events) > _MAX_EVENTS:
            self._events.popitem(last=False)

    def recent(self, count: int = _MAX_EVENTS) -> list[EventRecord]:
        """Return the last `count` events, the oldest first."""
        return list(self._events.values())[-count:]
