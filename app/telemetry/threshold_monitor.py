"""The pod's watch over itself: its own numbers against the platform's thresholds (MON4).

Told of by a line in the log, once for each change, and by gauges. A level counts when two looks in a row see
it, so one long garbage collection is no alarm. The file of thresholds is read anew with every look: a change
is in force within seconds and without a restart; one that cannot be used is told of and changes nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.telemetry.thresholds import Thresholds, ThresholdsError, read

log = structlog.get_logger()

_LOOK_SECONDS: Final = 2.0
_LOOKS: Final = 2
_MEMORY_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")
_STATM: Final = Path("/proc/self/statm")
_MEMINFO: Final = Path("/proc/meminfo")

Measures = Mapping[str, Callable[[], float]]


class Level(IntEnum):
    """How bad a number is."""

    FINE = 0
    WARNING = 1
    CRITICAL = 2


@dataclass
class _Signal:
    level: Level = Level.FINE
    coming: Level = Level.FINE
    looks: int = 0
    changes: int = 0


class Alarms(Collector):
    """``measures`` has a function for each field of :class:`Thresholds`, in the unit of its thresholds."""

    def __init__(self, path: Path, measures: Measures) -> None:
        self._path = path
        self._measures = measures
        self._text, self.thresholds = read(path)
        self._refused = b""
        self._signals = {name: _Signal() for name in Thresholds.__struct_fields__}

    async def run(self) -> None:
        """Look every few seconds until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Read the thresholds if they have changed, and compare."""
        self._reload()
        for name, signal in self._signals.items():
            value, threshold = self._measures[name](), getattr(self.thresholds, name)
            seen = Level((value > threshold.warning) + (value > threshold.critical))
            signal.looks = signal.looks + 1 if seen is signal.coming else 1
            signal.coming = seen
            if seen is signal.level or signal.looks < _LOOKS:
                continue
            worse, signal.level = seen > signal.level, seen
            signal.changes += worse
            say = log.warning if worse else log.info
            say(
                "a threshold was passed" if worse else "back below a threshold",
                signal=name,
                grade=seen.name.lower(),
                value=round(value, 3),
                warning=threshold.warning,
                critical=threshold.critical,
                unit=threshold.unit,
            )

    def level(self, name: str) -> Level:
        """How a signal is."""
        return self._signals[name].level

    def collect(self) -> Iterator[Metric]:
        levels = GaugeMetricFamily(
            "kingdom_threshold_level", "0 fine, 1 warning, 2 critical.", labels=("signal",)
        )
        changes = CounterMetricFamily(
            "kingdom_threshold_passed", "Times a signal became worse.", labels=("signal",)
        )
        limits = GaugeMetricFamily(
            "kingdom_threshold", "The thresholds in force, in their units.", labels=("signal", "level")
        )
        for name, signal in self._signals.items():
            levels.add_metric((name,), signal.level)
            changes.add_metric((name,), signal.changes)
            threshold = getattr(self.thresholds, name)
            limits.add_metric((name, "warning"), threshold.warning)
            limits.add_metric((name, "critical"), threshold.critical)
        yield from (levels, changes, limits)

    def _reload(self) -> None:
        try:
            text = self._path.read_bytes()
            if text in {self._text, self._refused}:
                return
            self._refused = text
            self._text, self.thresholds = read(self._path)
        except (OSError, ThresholdsError) as error:
            log.error("thresholds cannot be used; the ones before stay", error=str(error)[:300])
            return
        self._refused = b""
        log.info("thresholds changed", path=str(self._path))


def memory(limit: Path = _MEMORY_LIMIT) -> float:
    """The memory the process holds, in percent of what it may; 0 where the system does not say."""
    try:
        held = int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        most = limit.read_text().strip() if limit.is_file() else "max"
        if most == "max":
            most = str(int(_MEMINFO.read_text().split()[1]) * 1024)
        return 100 * held / int(most)
    except (OSError, ValueError, IndexError):
        return 0.0
