"""Checks that the load generator kept to its schedule; otherwise the run is invalid."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import psutil
from hdrh.histogram import HdrHistogram

from loadtest.generator.recorder import histogram, record, seconds_at

MAX_LATENESS_SECONDS: Final = 0.010
"""Bound on the 99th percentile of the time from an intended start to the start by the scheduler."""
MAX_CPU: Final = 0.80
"""Bound on the share of one core that the generator uses over the run."""
_RAISED_PRIORITY: Final = -10


@dataclass
class GeneratorHealth:
    """Lateness of the scheduler and CPU use of this process."""

    lateness: HdrHistogram = field(default_factory=histogram)
    _process: psutil.Process = field(default_factory=psutil.Process)
    _cpu_before: float = 0.0
    _wall: float = 0.0
    _began: float = 0.0

    def start(self, now: float) -> None:
        """Record the start of the run."""
        self._began, self._cpu_before = now, self._cpu_seconds()

    def stop(self, now: float) -> None:
        """Record the end of the run."""
        self._wall = now - self._began
        self._cpu_before = self._cpu_seconds() - self._cpu_before

    def late(self, seconds: float) -> None:
        """Record by how many seconds the start of a request was late."""
        record(self.lateness, max(0.0, seconds))

    def _cpu_seconds(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system

    @property
    def lateness_p99(self) -> float:
        """Return the 99th percentile of the lateness in seconds."""
        return seconds_at(self.lateness, 99)

    @property
    def cpu(self) -> float:
        """Return the share of one core over the run."""
        return self._cpu_before / self._wall if self._wall else 0.0

    def problems(self) -> list[str]:
        """Return why the run is invalid; [] if the generator kept to its schedule."""
        found = []
        if self.lateness_p99 > MAX_LATENESS_SECONDS:
            found.append(
                f"the scheduler started requests late: P99 {self.lateness_p99 * 1000:.1f} ms, "
                f"at most {MAX_LATENESS_SECONDS * 1000:.0f} ms"
            )
        if self.cpu > MAX_CPU:
            found.append(f"the generator used {self.cpu:.0%} of a core, at most {MAX_CPU:.0%}")
        return found


def raise_priority(pid: int = 0) -> None:
    """Raise the priority of a process above the platform's, if permitted."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, pid, _RAISED_PRIORITY)


def raise_generator_priority() -> None:
    """Raise the generator's priority above all other processes, so that contention slows the platform only.

    On Linux it gets real-time priority, which processes that it starts do not inherit. Without the
    permission, nothing changes.
    """
    raise_priority()
    with suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
