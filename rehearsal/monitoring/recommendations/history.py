"""Recorded signals as input of the rules, with the length of their history."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.monitoring.signals import Detection, Signals
from app.monitoring.source import Source, TimeSeries

# A line needs a value in 100 of the 180 steps of the minimum history: at its default of three hours, 100
# points a minute apart, as Robusta's KRR requires.
_STEPS: Final = 180
_MIN_POINTS: Final = 100
# The Vertical Pod Autoscaler multiplies its upper bound by 1 + 1/days: 1 + 8 times three hours by the history
# (https://github.com/kubernetes/autoscaler, `pkg/recommender/logic/recommender.go`).
_WIDENING: Final = 8


@dataclass(frozen=True)
class RecordedHistory:
    """The signals of a stack over the `seconds` before `end`, and its configuration by section."""

    source: Source
    signals: Signals
    config: Mapping[str, Any]
    end: float
    seconds: float
    _read: dict[str, dict[str, TimeSeries]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def detection(self) -> Detection:
        """Return the declared durations; `history_seconds` is the minimum history of a rule."""
        return self.signals.detection

    @property
    def step(self) -> float:
        """Return the seconds between two values."""
        return max(self.detection.history_seconds / _STEPS, self.detection.scrape_seconds)

    @property
    def roles(self) -> dict[str, Any]:
        """Return the settings of each role."""
        workload = self.config["kingdom:workload"]
        return {
            name: value
            for name, value in workload.items()
            if isinstance(value, dict) and "maxReplicas" in value
        }

    def lines(self, signal: str) -> dict[str, TimeSeries]:
        """Return the lines of a signal by label, without values that are not finite.

        If a signal is declared `by` one label, other labels such as the namespace do not count. Each signal
        is read once: twelve rules over seven days would read most of them several times.
        """
        if signal not in self._read:
            self._read[signal] = self._lines(signal)
        return self._read[signal]

    def _lines(self, signal: str) -> dict[str, TimeSeries]:
        query, by = self.signals.signals[signal].query, self.signals.signals[signal].by
        found = self.source.query_range(query, self.end - self.seconds, self.end, self.step)
        return {
            series.labels[by[0]] if len(by) == 1 and by[0] in series.labels else series.label: _select(
                series, lambda _, value: math.isfinite(value)
            )
            for series in found
        }

    def line(self, signal: str, label: str = "") -> TimeSeries:
        """Return one line of a signal, without values if there is none."""
        return self.lines(signal).get(label, TimeSeries({}))

    def enough(self, series: TimeSeries) -> bool:
        """Whether a line is long enough, and has values for more than half of that time."""
        minimum = self.detection.history_seconds
        points = math.ceil(_MIN_POINTS / _STEPS * minimum / self.step)
        return len(series.values) >= points and seconds_of(series) >= minimum

    def widening(self, series: TimeSeries) -> float:
        """The factor of a bound; 9 at the shortest history, towards 1 for a long one."""
        return 1 + _WIDENING * self.detection.history_seconds / max(seconds_of(series), 1.0)

    def warning(self, signal: str) -> float | None:
        """Return the warning threshold of a signal."""
        threshold = self.signals.signals[signal].threshold
        return None if threshold is None else threshold.warning


def hours_of(series: TimeSeries) -> float:
    """Return the hours between the first and the last value."""
    return seconds_of(series) / 3600


def seconds_of(series: TimeSeries) -> float:
    """Return the seconds between the first and the last value."""
    return series.times[-1] - series.times[0] if series.times else 0.0


def values_at(series: TimeSeries) -> dict[float, float]:
    """Return the values by time. All lines of a history have the same times, apart from gaps."""
    return dict(zip(series.times, series.values, strict=True))


def share(series: TimeSeries, holds: Callable[[float, float], bool]) -> float:
    """Return the share of moments at which `holds(time, value)`; 0 without values."""
    return len(_select(series, holds).values) / len(series.values) if series.values else 0.0


def ratio(numerator: TimeSeries, denominator: TimeSeries) -> TimeSeries:
    """Return the quotient of two lines at their common times at which the second is above 0."""
    below = values_at(denominator)
    found = [
        (at, value / below[at])
        for at, value in zip(numerator.times, numerator.values, strict=True)
        if below.get(at, 0.0) > 0
    ]
    return TimeSeries(dict(numerator.labels), [at for at, _ in found], [value for _, value in found])


def _select(series: TimeSeries, holds: Callable[[float, float], bool]) -> TimeSeries:
    found = [(at, value) for at, value in zip(series.times, series.values, strict=True) if holds(at, value)]
    return TimeSeries(dict(series.labels), [at for at, _ in found], [value for _, value in found])
