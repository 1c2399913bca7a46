"""Rules that turn recorded signals into recommendations.

A rule needs a minimum of history, and its estimate widens with a short one, as that of the Vertical Pod
Autoscaler does: the upper bound is multiplied by 1 + 1/days
(https://github.com/kubernetes/autoscaler, `pkg/recommender/logic/recommender.go`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from app.monitoring.signals import Signals
from app.monitoring.source import Source, TimeSeries
from rehearsal.percentiles import percentile

_STEP_SECONDS: Final = 60.0
MIN_HOURS: Final = 3.0  # as Robusta's KRR
_MIN_POINTS: Final = 100
_MARGIN: Final = 1.15
_MIB: Final = 1024 * 1024
_MEMORY_STEP_MI: Final = 32
_SHARE_AT_MAXIMUM: Final = 0.1
_SIZES: Final = ("M10", "M20", "M30", "M40", "M50", "M60", "M80", "M140", "M200", "M300", "M400", "M700")


@dataclass(frozen=True)
class ExpectedEffect:
    """An expected effect: a quantity now, and the interval in which it is expected afterwards."""

    quantity: str
    unit: str
    now: float
    low: float
    high: float


@dataclass(frozen=True)
class StackRecommendation:
    """One change of the value at `path` of a stack file, from `old` to `new`, and why."""

    rule: str
    finding: str
    path: tuple[str, ...]
    old: str
    new: str
    evidence: Mapping[str, float]
    effect: ExpectedEffect
    risk: str
    undo: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class RecordedHistory:
    """The signals of a stack over the `seconds` before `end`, and its configuration by section."""

    source: Source
    signals: Signals
    config: Mapping[str, Any]
    end: float
    seconds: float

    def lines(self, signal: str) -> dict[str, TimeSeries]:
        """The lines of a signal by label."""
        query = self.signals.signals[signal].query
        found = self.source.query_range(query, self.end - self.seconds, self.end, _STEP_SECONDS)
        return {series.label: series for series in found}

    def line(self, signal: str, label: str = "") -> TimeSeries:
        """One line of a signal, without values when there is none."""
        return self.lines(signal).get(label, TimeSeries({}))


Rule = Callable[[RecordedHistory], list[StackRecommendation]]


def recommendations(history: RecordedHistory) -> list[StackRecommendation]:
    """Apply all rules. Raises SourceError."""
    return [found for rule in RULES for found in rule(history)]


def hours_of(series: TimeSeries) -> float:
    """Hours between the first and the last value."""
    return (series.times[-1] - series.times[0]) / 3600 if series.times else 0.0


def enough(series: TimeSeries) -> bool:
    """Whether a line is long enough for a recommendation."""
    return len(series.values) >= _MIN_POINTS and hours_of(series) >= MIN_HOURS


def memory(history: RecordedHistory) -> list[StackRecommendation]:
    """Right-size the memory of a role: the maximum plus 15 %; a short history widens the upper bound."""
    found = []
    lines = history.lines("memory-by-role")
    for role, settings in _roles(history).items():
        series = lines.get(role)
        if series is None or not enough(series):
            continue
        days = hours_of(series) / 24
        peak = max(series.values) / _MIB
        target = peak * _MARGIN
        upper = target * (1 + 1 / days)
        current = int(settings["resources"]["memoryMi"])
        if current < target:
            new = _rounded_up(target)
            finding = f"{role}: the largest pod used {peak:.0f} MiB of {current} MiB"
            risk = "Larger pods may need another node."
        elif current > upper * 1.2:
            new = _rounded_up(upper)
            finding = f"{role}: no pod used more than {peak:.0f} MiB of {current} MiB"
            risk = "A peak that was not recorded ends a pod, which is started again."
        else:
            continue
        if new == current:
            continue
        found.append(
            StackRecommendation(
                "memory",
                finding,
                ("kingdom:workload", role, "resources", "memoryMi"),
                str(current),
                str(new),
                {"peak_mib": peak, "hours": hours_of(series), "points": len(series.values)},
                ExpectedEffect(
                    "memory use of the largest pod",
                    "%",
                    100 * peak / current,
                    100 * peak / new,
                    100 * target / new,
                ),
                risk,
                f"Set memoryMi of {role} to {current} again.",
            )
        )
    return found


def max_replicas(history: RecordedHistory) -> list[StackRecommendation]:
    """Raise the maximum of an autoscaler that is at it while its role is too slow."""
    found = []
    replicas = history.lines("replicas")
    need = {"api": ("response-time", _limit(history, "response-time")), "worker": ("queue-age", 60.0)}
    for role, (signal, limit) in need.items():
        settings = _roles(history).get(role)
        series = replicas.get(role)
        slow = history.line(signal)
        if settings is None or series is None or limit is None or not enough(series):
            continue
        maximum = int(settings["maxReplicas"])
        late = {at for at, value in zip(slow.times, slow.values, strict=True) if value > limit}
        held = [
            at
            for at, value in zip(series.times, series.values, strict=True)
            if value >= maximum and at in late
        ]
        share = len(held) / len(series.values)
        if share < _SHARE_AT_MAXIMUM:
            continue
        new = maximum + max(1, math.ceil(maximum / 2))
        now = float(maximum)
        found.append(
            StackRecommendation(
                "max-replicas",
                f"{role}: at its maximum of {maximum} replicas and slower than {limit:g} s"
                f" for {share:.0%} of the time",
                ("kingdom:workload", role, "maxReplicas"),
                str(maximum),
                str(new),
                {"share_at_maximum": share, "hours": hours_of(series), "limit_seconds": limit},
                # At most linear; nothing is gained where pods wait for something that they share.
                ExpectedEffect("capacity in replicas", "1", now, now, float(new)),
                "Costs more under load; no help when the database is what is slow.",
                f"Set maxReplicas of {role} to {maximum} again.",
            )
        )
    return found


def cache_size(history: RecordedHistory) -> list[StackRecommendation]:
    """Enlarge the working set when values are evicted while reads miss."""
    evictions = [value for series in history.lines("cache-evictions").values() for value in series.values]
    hits = history.lines("cache-hits")
    current = int(history.config["kingdom:cache"]["workingSetMi"])
    worst = min(
        ((percentile(series.values, 50), name) for name, series in hits.items() if enough(series)),
        default=None,
    )
    if worst is None or not evictions or percentile(evictions, 50) <= 0 or worst[0] >= 80:
        return []
    share, name = worst
    new = math.ceil(current * 1.5)
    return [
        StackRecommendation(
            "cache-size",
            f"cache {name}: {share:.0f} % of reads hit while values are evicted",
            ("kingdom:cache", "workingSetMi"),
            str(current),
            str(new),
            {"hit_percent": share, "evictions_per_second": percentile(evictions, 50)},
            ExpectedEffect("cache hits", "%", share, share, 100 - (100 - share) / 1.5),
            "More memory in Redis.",
            f"Set workingSetMi to {current} again.",
        )
    ]


def database_tier(history: RecordedHistory) -> list[StackRecommendation]:
    """Raise the smallest tier of Atlas when connections stay above the warning threshold."""
    series = history.line("database-connections")
    limit = _limit(history, "database-connections")
    current = str(history.config["kingdom:database"]["minSize"])
    upper = str(history.config["kingdom:database"]["maxSize"])
    if limit is None or not enough(series) or current not in _SIZES or current == upper:
        return []
    used = percentile(series.values, 95)
    if used <= limit:
        return []
    new = _SIZES[_SIZES.index(current) + 1]
    return [
        StackRecommendation(
            "database-tier",
            f"connections are above {limit:g} % of the pools: 95th percentile {used:.0f} %",
            ("kingdom:database", "minSize"),
            current,
            new,
            {"used_percent": used, "hours": hours_of(series)},
            ExpectedEffect("connections used", "%", used, used / 2, used),
            "Costs more at all times.",
            f"Set minSize to {current} again; Atlas scales down once a day at most.",
        )
    ]


RULES: Final[Sequence[Rule]] = (memory, max_replicas, cache_size, database_tier)


def _roles(history: RecordedHistory) -> dict[str, Any]:
    workload = history.config["kingdom:workload"]
    return {
        name: value for name, value in workload.items() if isinstance(value, dict) and "maxReplicas" in value
    }


def _limit(history: RecordedHistory, signal: str) -> float | None:
    threshold = history.signals.signals[signal].threshold
    return None if threshold is None else threshold.warning


def _rounded_up(mebibytes: float) -> int:
    return math.ceil(mebibytes / _MEMORY_STEP_MI) * _MEMORY_STEP_MI
