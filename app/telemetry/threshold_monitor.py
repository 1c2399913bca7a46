"""Threshold monitor of a pod: compares its own measurements with the platform's thresholds (MON4).

Changes are logged once and exported as gauges. A level applies after two consecutive checks, so a single long
garbage collection does not raise it. The thresholds file is read on every check: a change applies within
seconds without a restart, and an invalid file is logged and ignored.
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

_CHECK_SECONDS: Final = 2.0
_REQUIRED_CHECKS: Final = 2
_MEMORY_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")
_STATM: Final = Path("/proc/self/statm")
_MEMINFO: Final = Path("/proc/meminfo")

Measures = Mapping[str, Callable[[], float]]


class Level(IntEnum):
    """Level of a signal."""

    NORMAL = 0
    WARNING = 1
    CRITICAL = 2


@dataclass
class _Signal:
    level: Level = Level.NORMAL
    pending: Level = Level.NORMAL
    count: int = 0
    escalations: int = 0


class ThresholdMonitor(Collector):
    """``measures`` has a function for each field of :class:`Thresholds`, which returns a value in its
    unit.
    """

    def __init__(self, path: Path, measures: Measures) -> None:
        self._path = path
        self._measures = measures
        self._text, self.thresholds = read(path)
        self._rejected = b""
        self._signals = {name: _Signal() for name in Thresholds.__struct_fields__}

    async def run(self) -> None:
        """Check every two seconds until cancelled."""
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            self.check()

    def check(self) -> None:
        """Reload the thresholds if they have changed, and compare the signals with them."""
        self._reload()
        for name, signal in self._signals.items():
            value, threshold = self._measures[name](), getattr(self.thresholds, name)
            measured = Level((value > threshold.warning) + (value > threshold.critical))
            signal.count = signal.count + 1 if measured is signal.pending else 1
            signal.pending = measured
            if measured is signal.level or signal.count < _REQUIRED_CHECKS:
                continue
            escalated, signal.level = measured > signal.level, measured
            signal.escalations += escalated
            write = log.warning if escalated else log.info
            write(
                "threshold exceeded" if escalated else "back below threshold",
                signal=name,
                grade=measured.name.lower(),
                value=round(value, 3),
                warning=threshold.warning,
                critical=threshold.critical,
                unit=threshold.unit,
            )

    def level(self, name: str) -> Level:
        """Return the current level of a signal."""
        return self._signals[name].level

    def collect(self) -> Iterator[Metric]:
        levels = GaugeMetricFamily(
            "kingdom_threshold_level",
            "Level of a signal: 0 normal, 1 warning, 2 critical.",
            labels=("signal",),
        )
        escalations = CounterMetricFamily(
            "kingdom_threshold_passed", "Threshold escalations by signal.", labels=("signal",)
        )
        limits = GaugeMetricFamily(
            "kingdom_threshold",
            "Current thresholds by signal and level, in the unit of the signal.",
            labels=("signal", "level"),
        )
        for name, signal in self._signals.items():
            levels.add_metric((name,), signal.level)
            escalations.add_metric((name,), signal.escalations)
            threshold = getattr(self.thresholds, name)
            limits.add_metric((name, "warning"), threshold.warning)
            limits.add_metric((name, "critical"), threshold.critical)
        yield from (levels, escalations, limits)

    def _reload(self) -> None:
        try:
            text = self._path.read_bytes()
            if text in {self._text, self._rejected}:
                return
            self._rejected = text
            self._text, self.thresholds = read(self._path)
        except (OSError, ThresholdsError) as error:
            log.error("invalid thresholds file, keeping previous values", error=str(error)[:300])
            return
        self._rejected = b""
        log.info("thresholds changed", path=str(self._path))


def memory_percent(limit: Path = _MEMORY_LIMIT) -> float:
    """Return the resident memory of the process in percent of its limit; 0 if it is unknown."""
    try:
        resident = int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        limit_text = limit.read_text().strip() if limit.is_file() else "max"
        if limit_text == "max":
            limit_text = str(int(_MEMINFO.read_text().split()[1]) * 1024)
        return 100 * resident / int(limit_text)
    except (OSError, ValueError, IndexError):
        return 0.0
