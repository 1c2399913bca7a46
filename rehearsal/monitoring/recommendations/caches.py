"""Rules for the caches: their size and the time to live of their entries."""

from __future__ import annotations

import math
from typing import Final

from rehearsal.monitoring.recommendations.history import RecordedHistory, hours_of
from rehearsal.monitoring.recommendations.recommendation import ExpectedEffect, StackRecommendation
from rehearsal.percentiles import percentile

_GOOD_PERCENT: Final = 80.0
_MAX_FACTOR: Final = 10
TIMES_TO_LIVE: Final = {
    "contents": ("app/content/service.py", "_SETTLED"),
    "own-contents": ("app/content/service.py", "seconds=30.0"),
    "visibility": ("app/media/visibility.py", "_FRESH_SECONDS"),
    "event-days": ("app/analytics/summaries.py", "_TODAY_SECONDS"),
    "accounts": ("app/accounts/service.py", "QueryCache"),
    "orders": ("app/orders/service.py", "QueryCache"),
}
"""The file and the name of the time to live of each cache; no setting of a stack file changes it."""


def cache_size(history: RecordedHistory) -> list[StackRecommendation]:
    """Enlarge the working set when values are evicted while reads miss."""
    evictions = [value for series in history.lines("cache-evictions").values() for value in series.values]
    hits = history.lines("cache-hits")
    current = int(history.config["kingdom:cache"]["workingSetMi"])
    worst = min(
        ((percentile(series.values, 50), name) for name, series in hits.items() if history.enough(series)),
        default=None,
    )
    if worst is None or not evictions or percentile(evictions, 50) <= 0 or worst[0] >= _GOOD_PERCENT:
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


def cache_ttl(history: RecordedHistory) -> list[StackRecommendation]:
    """Report a cache whose entries expire before they are read again, though none is evicted.

    With Poisson reads at a rate r of each entry, a time to live T has the hit share h = rT / (1 + rT), so the
    mean time between two reads is T * (1 - h) / h: longer than T below 50 %
    (Jung, Berger, Balakrishnan, "Modeling TTL-based Internet caches", INFOCOM 2003).
    """
    evictions = history.lines("cache-evictions")
    found = []
    for name, series in history.lines("cache-hits").items():
        evicted = evictions.get(name)
        if name not in TIMES_TO_LIVE or not history.enough(series):
            continue
        hit = percentile(series.values, 50) / 100
        if not 0 < hit < 0.5 or evicted is None or any(evicted.values):
            continue
        reads = hit / (1 - hit)  # of an entry during its time to live
        factor = min(_MAX_FACTOR, math.ceil(_GOOD_PERCENT / (100 - _GOOD_PERCENT) / reads))
        path, constant = TIMES_TO_LIVE[name]
        found.append(
            StackRecommendation(
                "cache-ttl",
                f"cache {name}: {100 * hit:.0f} % of reads hit and nothing is evicted: an entry is read again"
                f" after {1 / reads:.1f} times its time to live",
                (),
                "",
                "",
                {
                    "hit_percent": 100 * hit,
                    "reread_interval_per_ttl": 1 / reads,
                    "factor": factor,
                    "hours": hours_of(series),
                },
                # Nothing is gained where entries are read once, or invalidated by writes.
                ExpectedEffect(
                    "cache hits", "%", 100 * hit, 100 * hit, 100 * factor * reads / (1 + factor * reads)
                ),
                "Values that no write invalidates are stale for longer.",
                "Revert the change.",
                f"Multiply the time to live of the cache {name} by {factor}: {constant} in {path}.",
            )
        )
    return found
