"""The samples of the last hour in memory, on which signals are evaluated."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from rehearsal.monitoring.promql.evaluator import LOOKBACK_SECONDS, NAME, Labels, Recorded
from rehearsal.monitoring.promql.parser import Selector

# The longest range of a signal is one hour.
RETENTION_SECONDS: Final = 3600.0 + LOOKBACK_SECONDS


def _numbers() -> array[float]:
    return array("d")


@dataclass
class _Series:
    # Lists of float objects would take four times as much memory: there are a million samples in an hour.
    times: array[float] = field(default_factory=_numbers)
    values: array[float] = field(default_factory=_numbers)


class Head:
    """Time series by metric. A series that is missing from a later scrape of its target has ended."""

    def __init__(self) -> None:
        self._series: dict[str, dict[Labels, _Series]] = {}
        self._targets: dict[str, set[Labels]] = {}

    def add(self, target: str, at: float, values: Mapping[Labels, float]) -> list[Labels]:
        """Add one scrape of `target`, empty for a failed one. Return the series that have ended."""
        before = self._targets.get(target, set())
        for labels, value in values.items():
            self._append(labels, at, value)
        ended = [labels for labels in before if labels not in values]
        for labels in ended:
            self._append(labels, at, math.nan)
        if values:
            self._targets[target] = set(values)
        else:
            self._targets.pop(target, None)
        return ended

    def load(self, labels: Labels, times: Iterable[float], values: Iterable[float]) -> None:
        """Add recorded samples of an earlier process."""
        for at, value in zip(times, values, strict=True):
            self._append(labels, at, value)

    def end(self, at: float) -> None:
        """Mark every series as ended: after a gap, no value is carried over it."""
        self._targets.clear()
        for group in self._series.values():
            for series in group.values():
                if not math.isnan(series.values[-1]):
                    series.times.append(max(at, series.times[-1] + 0.001))
                    series.values.append(math.nan)

    def trim(self, now: float) -> None:
        """Drop samples that are older than the range of every signal."""
        oldest = now - RETENTION_SECONDS
        for metric, group in list(self._series.items()):
            for labels, series in list(group.items()):
                if series.times[-1] < oldest:
                    del group[labels]
                elif series.times[0] < oldest - 600:  # not one by one: all that follows is moved
                    count = bisect_right(series.times, oldest)
                    del series.times[:count], series.values[:count]
            if not group:
                del self._series[metric]

    def targets(self) -> set[str]:
        """Return the targets with series."""
        return set(self._targets)

    def metrics(self) -> set[str]:
        """Return the names of metrics with a series that has not ended."""
        return {
            metric
            for metric, group in self._series.items()
            if any(not math.isnan(series.values[-1]) for series in group.values())
        }

    def select(self, selector: Selector, start: float, end: float) -> Iterator[Recorded]:
        """Yield the series that a selector names."""
        metrics = [selector.metric] if selector.metric else list(self._series)
        for metric in metrics:
            for labels, series in self._series.get(metric, {}).items():
                known = dict(labels) if selector.matchers else {}
                if all(matcher.matches(known.get(matcher.label, "")) for matcher in selector.matchers):
                    yield Recorded(labels, series.times, series.values)

    def _append(self, labels: Labels, at: float, value: float) -> None:
        name = next(text for key, text in labels if key == NAME)
        series = self._series.setdefault(name, {}).setdefault(labels, _Series())
        if series.times and at <= series.times[-1]:
            return
        series.times.append(at)
        series.values.append(value)
