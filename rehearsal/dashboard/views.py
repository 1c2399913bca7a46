"""The content of the dashboard as plain JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from app.monitoring.objectives import budgets
from app.monitoring.signals import Limits, Signal, Signals
from app.monitoring.source import Source, TimeSeries
from rehearsal.monitoring.alerts import Alerts
from rehearsal.monitoring.early_warning import EarlyWarning
from rehearsal.monitoring.recorder import Recorder

RANGES: Final[Mapping[str, float]] = {
    "15m": 900.0, "1h": 3600.0, "6h": 21_600.0, "24h": 86_400.0, "7d": 604_800.0,
}  # fmt: skip
_POINTS: Final = 240
_MAX_LINES: Final = 10
_BUDGET_SECONDS: Final = 86_400.0
TABS: Final = ("system", "application", "queue", "cache", "database", "business", "autoscaling")


def step_of(seconds: float, interval: float) -> float:
    """Return the seconds between points: the `interval` of the recording, or a multiple for a long range."""
    return interval * max(1, math.ceil(seconds / _POINTS / interval))


def panels(source: Source, signals: Signals, tab: str, end: float, seconds: float) -> dict[str, Any]:
    """Return the panels of a tab over the `seconds` before `end`. Raises SourceError."""
    step = step_of(seconds, signals.detection.scrape_seconds)
    # The step that is not complete yet counts: of seven days, it is up to 42 minutes long.
    end = math.ceil(end / step) * step
    start = end - seconds
    moments = [start + step * index for index in range(round(seconds / step) + 1)]
    found = []
    for name, group in signals.dashboards.items():
        for panel in group:
            if (panel.section or name) != tab:
                continue
            lines = {legend: signals.signals[line] for legend, line in panel.lines.items()}
            if all(line.only == "cluster" for line in lines.values()):
                continue
            found.append(
                {
                    "title": panel.title,
                    "unit": next(iter(lines.values())).unit,
                    "limits": _limits(lines),
                    "series": _lines(source, lines, moments, step),
                }
            )
    return {"times": moments, "panels": found}


def _limits(lines: Mapping[str, Signal]) -> dict[str, float] | None:
    threshold: Limits | None = next((line.threshold for line in lines.values() if line.threshold), None)
    return None if threshold is None else {"warning": threshold.warning, "critical": threshold.critical}


def _lines(
    source: Source, lines: Mapping[str, Signal], moments: Sequence[float], step: float
) -> list[dict[str, Any]]:
    found = []
    for legend, signal in lines.items():
        for series in source.query_range(signal.query, moments[0], moments[-1], step):
            label = " ".join(part for part in (legend, series.label) if part)
            found.append({"name": label or signal.title, "values": aligned(series, moments, step)})
    found.sort(key=lambda line: max((value for value in line["values"] if value is not None), default=0.0))
    return found[::-1][:_MAX_LINES]


def aligned(series: TimeSeries, moments: Sequence[float], step: float) -> list[float | None]:
    """Return the values at `moments`, None where there is none."""
    values: list[float | None] = [None] * len(moments)
    for at, value in zip(series.times, series.values, strict=True):
        index = round((at - moments[0]) / step)
        if 0 <= index < len(values):
            values[index] = value
    return values


def overview(recorder: Recorder, alerts: Alerts, warnings: EarlyWarning, stack: str) -> dict[str, Any]:
    """Return the current state of the platform. Raises SourceError."""
    observation, signals, at = recorder.observation, recorder.signals, recorder.at
    status = observation.status if observation else None
    current = {
        name: max((value for value in recorder.results.get(signal.query, {}).values()), default=None)
        for name, signal in signals.local().items()
    }
    step = step_of(_BUDGET_SECONDS, signals.detection.scrape_seconds)
    shown = ("requests", "response-time", "errors", "cpu", "memory", "database-connections", "queue-age")
    return {
        "stack": stack,
        "at": at,
        "running": observation is not None,
        "ready": status is not None and all(process.ready for process in status.processes),
        "problems": sorted(recorder.problems.values()),
        "alerts": [alert.to_json() for alert in alerts.active()],
        "findings": [finding.to_json() for finding in warnings.findings],
        "budget": [asdict(item) for item in budgets(recorder, signals, at, _BUDGET_SECONDS, step)],
        "numbers": [
            {"title": signals.signals[name].title, "unit": signals.signals[name].unit, "value": current[name]}
            for name in shown
            if name in current
        ],
        "autoscalers": [
            {
                "name": item.name, "current": item.current, "desired": item.desired,
                "minimum": item.minimum, "maximum": item.maximum,
                "outcome": item.outcome, "metrics": list(item.metrics),
            }
            for item in (status.autoscalers if status else ())
        ],
        "processes": [
            {
                "name": item.name, "state": item.state, "ready": item.ready,
                "restarts": item.restarts, "memory": item.memory, "cpu": item.cpu,
            }
            for item in (status.processes if status else ())
        ],
    }  # fmt: skip
