"""Error budgets: how much of the allowed share of bad requests a period used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.monitoring.signals import Signals
from app.monitoring.source import Source, TimeSeries

WINDOW: Final = "5m"


@dataclass(frozen=True)
class Budget:
    """The share of requests that violated an objective, and the ratio of that to the allowed share.

    Both are None without requests.
    """

    objective: str
    allowed: float
    share: float | None
    used: float | None


def budgets(source: Source, signals: Signals, end: float, seconds: float, step: float) -> list[Budget]:
    """Return the budgets of all objectives, each moment weighted by its requests. Raises SourceError."""
    requests = _by_time(source.query_range(signals.signals["requests"].query, end - seconds, end, step))
    found = []
    for name, allowed in signals.allowed.items():
        bad = _by_time(source.query_range(signals.bad_share(name, WINDOW), end - seconds, end, step))
        weights = {at: requests.get(at, 0.0) for at in bad}
        total = math.fsum(weights.values())
        share = math.fsum(bad[at] * weights[at] for at in bad) / total if total else None
        found.append(Budget(name, allowed, share, None if share is None or not allowed else share / allowed))
    return found


def _by_time(found: Sequence[TimeSeries]) -> dict[float, float]:
    return {at: value for series in found for at, value in zip(series.times, series.values, strict=True)}
