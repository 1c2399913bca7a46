"""The samples in memory over which signals are evaluated: each metric for its longest range."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from rehearsal.monitoring.promql.evaluator import LOOKBACK_SECONDS, NAME, Labels, Recorded
from rehearsal.monitoring.promql.parser import Selector

# Without a range of its own: the longest range of a signal is one hour.
RETENTION_SECONDS: Final = 3600.0 + LOOKBACK_SECONDS
# A scrape may be late.
_SPARE_SECONDS: Final = 60.0
# Seconds from a sample to a mark of the end; less than a millisecond, the minimum between two samples.
_MARK_SECONDS: Final = 0.0005


@dataclass(slots=True)
class _Series:
    """Values of consecutive scrapes, NaN for one without the series; `row` is the scrape of the last one."""

    values: array[float]
    row: int


class Head:
    """Series by metric. A series that was in one scrape of its target and not in the next has ended.

    All targets are scraped at the same times, which are stored once: five thousand series take 2 MB.
    """

    def __init__(self) -> None:
        self._series: dict[str, dict[Labels, _Series]] = {}
        self._targets: dict[str, set[Labels]] = {}
        self._ranges: Mapping[str, float] = {}
        self._times = array("d")
        self._first = 0  # the row of the first time

    def retain(self, ranges: Mapping[str, float]) -> None:
        """Retain the samples of each metric for its range in seconds, those of others for an hour.

        Most metrics are buckets of histograms of which five minutes are evaluated: an hour of all of them
        takes ten times as much memory.
        """
        self._ranges = ranges

    def retention(self, metric: str) -> float:
        """Return for how many seconds samples of `metric` are retained."""
        seconds = self._ranges.get(metric)
        return RETENTION_SECONDS if seconds is None else max(seconds, LOOKBACK_SECONDS) + _SPARE_SECONDS

    def add(self, target: str, at: float, values: Mapping[Labels, float]) -> list[Labels]:
        """Add one scrape of `target`, empty for one that failed. Returns the series that have ended.

        A scrape that is earlier than another one is left out.
        """
        if self._times and at < self._times[-1]:
            return []
        row = self._row(at)
        before = self._targets.get(target, set())
        for labels, value in values.items():
            self._append(labels, row, value)
        ended = [labels for labels in before if labels not in values]
        for labels in ended:
            self._append(labels, row, math.nan)
        if values:
            self._targets[target] = set(values)
        else:
            self._targets.pop(target, None)
        return ended

    def load(self, recorded: Iterable[Recorded]) -> None:
        """Add recorded samples of an earlier process, before any scrape."""
        found = list(recorded)
        self._times = array("d", sorted({at for series in found for at in series.times}))
        for series in found:
            for at, value in zip(series.times, series.values, strict=True):
                self._append(series.labels, bisect_left(self._times, at), value)

    def end(self, at: float) -> list[Labels]:
        """Mark every series as ended, so that no value is carried over a gap. Return the ones affected."""
        self._targets.clear()
        ended = [
            labels
            for group in self._series.values()
            for labels, series in group.items()
            if not math.isnan(series.values[-1])
        ]
        if ended:
            row = self._row(max(at, self._times[-1] + _MARK_SECONDS))
            for labels in ended:
                self._append(labels, row, math.nan)
        return ended

    def trim(self, now: float) -> None:
        """Drop samples that no signal can reach any more."""
        oldest = self._first + len(self._times)
        for metric, group in list(self._series.items()):
            # The first row that is retained.
            start = self._first + bisect_right(self._times, now - self.retention(metric))
            for labels, series in list(group.items()):
                count = start - (series.row + 1 - len(series.values))
                if count >= len(series.values):
                    del group[labels]
                elif count > 0:
                    del series.values[:count]
            if group:
                oldest = min(oldest, start)
            else:
                del self._series[metric]
        if oldest > self._first:
            del self._times[: oldest - self._first]
            self._first = oldest

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
        times: dict[tuple[int, int], array[float]] = {}
        for metric in metrics:
            for labels, series in self._series.get(metric, {}).items():
                if selector.selects(metric, labels):
                    key = (series.row, len(series.values))
                    if key not in times:
                        last = series.row + 1 - self._first
                        times[key] = self._times[last - len(series.values) : last]
                    yield Recorded(labels, times[key], series.values)

    def _row(self, at: float) -> int:
        """Return the row of the time `at`, which is not before the last one."""
        if not self._times or at > self._times[-1]:
            self._times.append(at)
        return self._first + len(self._times) - 1

    def _append(self, labels: Labels, row: int, value: float) -> None:
        name = next(text for key, text in labels if key == NAME)
        group = self._series.setdefault(name, {})
        series = group.get(labels)
        if series is None:
            series = group[labels] = _Series(array("d"), row - 1)
        if series.row >= row:
            return
        series.values.extend([math.nan] * (row - series.row - 1))
        series.values.append(value)
        series.row = row
