"""Rules for MongoDB: the connection pools, the range of Atlas tiers, and indexes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from rehearsal.forecast.declared import ATLAS_CONNECTIONS, MONITORS
from rehearsal.monitoring.recommendations.history import (
    RecordedHistory,
    hours_of,
    seconds_of,
    share,
    values_at,
)
from rehearsal.monitoring.recommendations.recommendation import ExpectedEffect, StackRecommendation
from rehearsal.monitoring.recommendations.workload import MARGIN, SHARE
from rehearsal.percentiles import percentile

# As `infra/settings/sizing.py` derives the pools.
_POOLED_PERCENT: Final = 75
_MAX_POOL: Final = 100
_MIN_POOL: Final = 5
_SIZES: Final = tuple(ATLAS_CONNECTIONS)
_FAST_SECONDS: Final = 0.02
_INDEXES_AT_A_TIME: Final = 2


def pool_size(history: RecordedHistory) -> list[StackRecommendation]:
    """Raise the smallest tier of Atlas, which the pools follow from, when commands lack connections.

    Pools lack connections when the 95th percentile of their use is above the warning threshold, or when
    commands wait or are refused for a tenth of the time. Returns nothing if no allowed tier has larger pools.
    """
    used, limit = history.line("database-connections"), history.warning("database-connections")
    settings = history.config["kingdom:database"]
    current, max_size = str(settings["minSize"]), str(settings["maxSize"])
    if limit is None or not history.enough(used) or not {current, max_size} <= set(_SIZES):
        return []
    lacking: set[float] = set()
    for signal in ("connections-waiting", "connections-refused"):
        lacking |= {at for at, value in values_at(history.line(signal)).items() if value > 0}
    waiting = share(used, lambda at, _: at in lacking)
    high = percentile(used.values, 95)
    if high <= limit and waiting < SHARE:
        return []
    # Commands wait only at a full pool.
    demand = max(high, 100.0) if waiting >= SHARE else high
    before = _pool(history.config, current)
    larger = [
        size
        for size in _SIZES[_SIZES.index(current) + 1 : _SIZES.index(max_size) + 1]
        if _pool(history.config, size) > before
    ]
    if before < 1 or not larger:
        return []
    new = next(
        (size for size in larger if demand * MARGIN * before / _pool(history.config, size) <= limit),
        larger[-1],
    )
    after = _pool(history.config, new)
    return [
        _tier(
            history,
            "pool-size",
            f"{high:.0f} % of the connections of the pools are used (95th percentile; the warning is at"
            f" {limit:g} %), and commands wait for {waiting:.0%} of the time",
            new,
            {"share_waiting": waiting},
            min(100.0, demand * history.widening(used) * before / after),
            f"Costs more at all times; a pod may open {after} connections in place of {before}.",
            f"Set minSize to {current} again; Atlas scales down once a day at most.",
        )
    ]


def database_tier(history: RecordedHistory) -> list[StackRecommendation]:
    """Lower the smallest tier of Atlas by one while queries are fast and the smaller pools suffice.

    The use of CPU and memory of Atlas is not among the signals: Atlas scales up again by itself up to
    `maxSize`, which is why only `minSize` is lowered.
    """
    used, limit = history.line("database-connections"), history.warning("database-connections")
    current = str(history.config["kingdom:database"]["minSize"])
    times, slow = history.lines("query-time"), history.lines("slow-queries")
    if limit is None or current not in _SIZES[1:] or not history.enough(used):
        return []
    # Queries of a collection that are too rare for a rule of their own may still be slow.
    measured = [percentile(series.values, 95) for series in times.values() if series.values]
    if not any(history.enough(series) for series in times.values()) or max(measured) > _FAST_SECONDS:
        return []
    if any(any(series.values) for series in slow.values()):
        return []
    new = _SIZES[_SIZES.index(current) - 1]
    before, after = _pool(history.config, current), _pool(history.config, new)
    high = percentile(used.values, 95)
    if after < _MIN_POOL or high * MARGIN * history.widening(used) * before / after > limit:
        return []
    return [
        _tier(
            history,
            "database-tier",
            f"queries take at most {1000 * max(measured):.0f} ms (95th percentile), none is slow, and"
            f" {high:.0f} % of the connections are used",
            new,
            {"query_seconds_p95": max(measured)},
            high * MARGIN * history.widening(used) * before / after,
            "Slower queries until Atlas has scaled up after a rise of the load.",
            f"Set minSize to {current} again.",
        )
    ]


def index_advice(history: RecordedHistory) -> list[StackRecommendation]:
    """Let the workers apply the advice of the index advisor when it remains for the minimum history."""
    mode = str(history.config["kingdom:database"]["indexAdvisor"])
    # Advice that is no longer exported while pods are recorded may have been followed.
    pods = history.lines("running-pods").values()
    latest = max((series.times[-1] for series in pods if series.times), default=-math.inf)
    pending = {
        action: series
        for action, series in history.lines("index-advice").items()
        if history.enough(series)
        and min(series.values[-1:], default=0) > 0
        and _remains(history, series)
        and latest - series.times[-1] <= history.detection.history_seconds
    }
    if mode != "advise" or not pending:
        return []
    counts = {action: series.values[-1] for action, series in pending.items()}
    total = sum(counts.values())
    return [
        StackRecommendation(
            "index-advice",
            "the index advisor recommends to "
            + " and to ".join(f"{action} {count:.0f}" for action, count in sorted(counts.items()))
            + " indexes; `python -m app advise` lists them",
            ("kingdom:database", "indexAdvisor"),
            mode,
            "apply",
            counts,
            ExpectedEffect(
                "pieces of advice after the next hourly run",
                "1",
                total,
                0.0,
                max(0.0, total - _INDEXES_AT_A_TIME),
            ),
            "From then on workers create and drop indexes by themselves, at most two at a time.",
            f"Set indexAdvisor to {mode} again; indexes that were created remain.",
        )
    ]


def _tier(
    history: RecordedHistory,
    rule: str,
    finding: str,
    new: str,
    evidence: Mapping[str, float],
    worst: float,
    risk: str,
    undo: str,
) -> StackRecommendation:
    """Return the recommendation of another smallest tier; `worst` is the highest expected use in %."""
    used = history.line("database-connections")
    current = str(history.config["kingdom:database"]["minSize"])
    before, after = _pool(history.config, current), _pool(history.config, new)
    high = percentile(used.values, 95)
    return StackRecommendation(
        rule,
        finding,
        ("kingdom:database", "minSize"),
        current,
        new,
        {"used_percent": high, **evidence, "pool": before, "pool_after": after, "hours": hours_of(used)},
        ExpectedEffect(
            "connections used", "% of the pools", high, min(worst, high / MARGIN * before / after), worst
        ),
        risk,
        undo,
    )


def _remains(history: RecordedHistory, series: Any) -> bool:
    """Whether there was advice during the whole minimum history before the last value."""
    since = series.times[-1] - min(history.detection.history_seconds, seconds_of(series))
    return all(value > 0 for at, value in zip(series.times, series.values, strict=True) if at >= since)


def _pool(config: Any, size: str) -> int:
    """Connections of one pod to one member, at the smallest tier `size`."""
    pods = sum(
        role["maxReplicas"] + -(-role["maxReplicas"] * role["surgePercent"] // 100)
        for role in config["kingdom:workload"].values()
        if isinstance(role, dict) and "maxReplicas" in role
    )
    return int(min(ATLAS_CONNECTIONS[size] * _POOLED_PERCENT // 100 // pods - MONITORS, _MAX_POOL))
