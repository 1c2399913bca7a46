"""Measure CPU and memory of processes over intervals, as metrics-server does.

Follows ``pkg/storage`` of kubernetes-sigs/metrics-server: a rate needs two samples of the same container
start; a new container is measured from its start after ten seconds.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import psutil

# --metric-resolution of the manifests that metrics-server is installed with.
RESOLUTION_SECONDS = 15.0
# A shorter interval is dominated by startup.
_FRESH_SECONDS = 10.0


@dataclass(frozen=True)
class Point:
    """CPU `seconds` since the start and resident `memory` in bytes at `taken`."""

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
    """The last two samples of a process, across restarts."""

    def __init__(self) -> None:
        self._before: Point | None = None
        self._last: Point | None = None

    def take(self, point: Point | None) -> None:
        """Record a sample; None means that the process is not running."""
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
        """Return the usage; None until there are two samples."""
        if self._before is None or self._last is None:
            return None
        window = self._last.taken - self._before.taken
        if window <= 0:
            return None
        cpu = (self._last.seconds - self._before.seconds) / window
        return Usage(cpu, self._last.memory, self._last.taken, window)


def measure(pid: int, started: float, now: float) -> Point | None:
    """Measure `pid` with its descendants, including reaped ones; None if it has exited."""
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
            # Reaped children are no longer listed; their CPU time is not available on every platform.
            seconds += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return Point(now, started, seconds, memory)


def together(usages: list[Usage | None]) -> Usage | None:
    """Return the usage of a pod as the sum of its containers; None if one is not measured yet."""
    known = [usage for usage in usages if usage is not None]
    if not known or len(known) < len(usages):
        return None
    return Usage(
        cpu=sum(usage.cpu for usage in known),
        memory=sum(usage.memory for usage in known),
        taken=min(usage.taken for usage in known),
        window=min(usage.window for usage in known),
    )
