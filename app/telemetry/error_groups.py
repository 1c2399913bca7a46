"""Unexpected errors, grouped and counted.

A group is the exception type and the innermost code location in this service. Messages are not part of it,
because they contain IDs and addresses. This is how error trackers group, without depending on another
service.
"""

from __future__ import annotations

import hashlib
import traceback
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from pymongo.errors import ConnectionFailure, PyMongoError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

import app
from app import clock
from app.resilience.deadline import remaining
from app.telemetry import context, metrics

_PACKAGE: Final = str(Path(app.__file__).parent)
_MAX_GROUPS: Final = 200
_MAX_MESSAGE_LENGTH: Final = 300
_ROUND_TRIP_SECONDS: Final = 0.5  # to the database, on a busy node


def is_outage(error: BaseException) -> bool:
    """Return whether an error means that a dependency is unavailable or timed out, so that a retry may
    succeed.
    """
    if isinstance(error, PyMongoError):
        return isinstance(error, ConnectionFailure) or error.timeout
    return isinstance(error, RedisConnectionError | RedisTimeoutError | TimeoutError | ConnectionError)


def is_own_deadline(error: BaseException) -> bool:
    """Return whether a database operation ended because the deadline of the current request did.

    Clients choose deadlines, so such an error does not show that the database is unavailable. PyMongo raises
    it up to a round trip before the deadline.
    """
    return isinstance(error, PyMongoError) and error.timeout and remaining() < _ROUND_TRIP_SECONDS


class ErrorGroup(msgspec.Struct):
    """One group. ``where`` is file, line and function; ``request`` is the ID of the latest request."""

    group: str
    error: str
    where: str
    route: str
    message: str
    request: str
    count: int
    first_at: datetime
    last_at: datetime


class ErrorGroups:
    """Error groups of this process, at most 200; the least recently seen one is evicted."""

    def __init__(self) -> None:
        self._groups: dict[str, ErrorGroup] = {}

    def add(self, error: BaseException, route: str) -> ErrorGroup:
        """Count an error and return its group; ``count`` is 1 for a new group."""
        name = type(error).__qualname__
        where = _code_location(error)
        key = hashlib.blake2b(f"{name} {where}".encode(), digest_size=4).hexdigest()
        metrics.failures.labels(route, name).inc()
        message = str(error)[:_MAX_MESSAGE_LENGTH]
        request = context.current.get().get("request_id", "")
        now = clock.now()
        # Removed and re-inserted, so that the dictionary is ordered by the last occurrence.
        group = self._groups.pop(key, None)
        if group is None:
            group = ErrorGroup(key, name, where, route, message, request, 0, now, now)
            if len(self._groups) >= _MAX_GROUPS:
                del self._groups[next(iter(self._groups))]
        self._groups[key] = group
        group.count += 1
        group.last_at, group.route, group.message, group.request = now, route, message, request
        return group

    def latest(self) -> list[ErrorGroup]:
        """Return all groups, most recently seen first."""
        return list(reversed(self._groups.values()))


def _code_location(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(_PACKAGE)] or list(frames)
    if not own:
        return "unknown"
    frame = own[-1]
    path = Path(frame.filename)
    name = path.relative_to(_PACKAGE) if path.is_relative_to(_PACKAGE) else Path(path.name)
    return f"{name.as_posix()}:{frame.lineno} {frame.name}"
