"""Unexpected errors, grouped: the same fault seen a thousand times is one line with a count.

A group is the type of the error and the place in this service's own code where it came through last; messages
are left out, because they hold ids and addresses that differ every time. As error trackers do it, without one
more service that has to be there when everything else is not.
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
from app.telemetry import context, metrics

_OWN: Final = str(Path(app.__file__).parent)
_MOST_GROUPS: Final = 200
_LONGEST_MESSAGE: Final = 300


def is_outage(error: BaseException) -> bool:
    """Whether something that was asked was not there, or not in time: no fault of ours, and worth another
    try."""
    if isinstance(error, PyMongoError):
        return isinstance(error, ConnectionFailure) or error.timeout
    return isinstance(error, RedisConnectionError | RedisTimeoutError | TimeoutError)


class Fault(msgspec.Struct):
    """One group. ``where`` is file, line and function; ``request`` names the latest in the logs."""

    group: str
    error: str
    where: str
    route: str
    message: str
    request: str
    count: int
    first_at: datetime
    last_at: datetime


class Faults:
    """The groups of this process, the ones seen longest ago forgotten first."""

    def __init__(self) -> None:
        self._groups: dict[str, Fault] = {}

    def add(self, error: BaseException, route: str) -> Fault:
        """Count an error; its group, with ``count`` 1 when it is a new one."""
        name = type(error).__qualname__
        where = _place(error)
        group = hashlib.blake2b(f"{name} {where}".encode(), digest_size=4).hexdigest()
        metrics.failures.labels(route, name).inc()
        message = str(error)[:_LONGEST_MESSAGE]
        request = context.current.get().get("request_id", "")
        now = clock.now()
        # Popped and put back: the order of the dictionary is the order of the last time.
        fault = self._groups.pop(group, None)
        if fault is None:
            fault = Fault(group, name, where, route, message, request, 0, now, now)
            if len(self._groups) >= _MOST_GROUPS:
                del self._groups[next(iter(self._groups))]
        self._groups[group] = fault
        fault.count += 1
        fault.last_at, fault.route, fault.message, fault.request = now, route, message, request
        return fault

    def latest(self) -> list[Fault]:
        """All groups, the latest first."""
        return list(reversed(self._groups.values()))


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(_OWN)] or list(frames)
    if not own:
        return "unknown"
    frame = own[-1]
    path = Path(frame.filename)
    name = path.relative_to(_OWN) if path.is_relative_to(_OWN) else Path(path.name)
    return f"{name.as_posix()}:{frame.lineno} {frame.name}"
