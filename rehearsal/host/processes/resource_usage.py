"""CPU and memory of processes, measured over intervals as metrics-server does it.

The rules are those of ``pkg/storage`` of kubernetes-sigs/metrics-server: a rate needs two points of the same
start of a container; one that has just started is measured from its start on, once ten seconds are over.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import psutil

# --metric-resolution of the manifests that metrics-server is installed with.
RESOLUTION_SECONDS = 15.0
# A shorter time measures how a process starts, not how it runs.
_FRESH_SECONDS = 10.0


@dataclass(frozen=True)
class Point:
    """`seconds` of CPU since the start and resident `memory` in bytes, as they were at `taken`."""

    taken: float
    started: float
    seconds: float
    memory: int


@dataclass(frozen=True)
class Usage:
    """`cpu` in cores over the `window` seconds that ended at `taken`, `memory` in bytes at its end."""

    cpu: float
    memory: int
    taken: float
    window: float


class Meter:
    """The last two points of one process that may be started again and again."""

    def __init__(self) -> None:
        self._before: Point | None = None
        self._last: Point | None = None

    def take(self, point: Point | None) -> None:
        """Add what was measured now; None: it does not run."""
        if point is None:
            self._before = self._last = None
            return
        last = self._last
        if last is not None and last.started == point.started and last.seconds <= point.seconds:
            self._before = last
        elif _FRESH_SECONDS <= point.taken - point.started < RESOLUTION_SECONDS:
            self._before = Point(point.started, point.started, 0.0, point.memory)
        else:
            self._before = None
        self._last = point

    def usage(self) -> Usage | None:
        """None until there are two points."""
        if self._before is None or self._last is None:
            return None
        window = self._last.taken - self._before.taken
        if window <= 0:
            return None
        cpu = (self._last.seconds - self._before.seconds) / window
        return Usage(cpu, self._last.memory, self._last.taken, window)


def measure(pid: int, started: float, now: float) -> Point | None:
    """`pid` and its descendants, those that have ended and were waited for included; None: it has ended."""
    memory, seconds = 0, 0.0
    try:
        leader = psutil.Process(pid)
        family = [leader, *leader.children(recursive=True)]
    except psutil.Error:
        return None
    for process in family:
        with suppress(psutil.Error):
            memory += process.memory_info().rss
            times = process.cpu_times()
            seconds += times.user + times.system
            # A process that was waited for is in no list of children any more. Not on every platform.
            seconds += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return Point(now, started, seconds, memory)


def together(usages: list[Usage | None]) -> Usage | None:
    """The usage of a pod from that of its containers; None as long as one of them is not measured."""
    known = [usage for usage in usages if usage is not None]
    if not known or len(known) < len(usages):
        return None
    return Usage(
        cpu=sum(usage.cpu for usage in known),
        memory=sum(usage.memory for usage in known),
        taken=min(usage.taken for usage in known),
        window=min(usage.window for usage in known),
    )
