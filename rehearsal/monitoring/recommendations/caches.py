"""Rules for the caches: their size and the time to live of their entries."""

from __future__ import annotations

import math
from typing import Final

from rehearsal.monitoring.recommendations.history import RecordedHistory, hours_of
from rehearsal.monitoring.recommendations.recommendation import ExpectedEffect, StackRecommendation
from rehearsal.percentiles import percentile

_GOOD_PERCENT: Final = 80.0
_MAX_FACTOR: Final = 10
# Neither the recorder nor `signals.yaml` has this counter; `cache-evictions` is that of the process memory.
_REDIS_EVICTIONS: Final = (
    "the evicted keys of Redis (redis.googleapis.com/stats/evicted_keys, or `evicted_keys` of INFO stats)"
)
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
    """Report a cache of which the process memory evicts values while its reads miss.

    `workingSetMi` sizes Redis, and evictions of Redis are not among the signals, so no setting is changed.
    """
    evictions = history.lines("cache-evictions")
    current = int(history.config["kingdom:cache"]["workingSetMi"])
    found = []
    for name, series in history.lines("cache-hits").items():
        evicted = evictions.get(name)
        if evicted is None or not history.enough(series) or not history.enough(evicted):
            continue
        hit, rate = percentile(series.values, 50), percentile(evicted.values, 50)
        if rate <= 0 or hit >= _GOOD_PERCENT:
            continue
        found.append(
            StackRecommendation(
                "cache-size",
                f"cache {name}: {hit:.0f} % of reads hit, in the process memory or Redis, while the process"
                f" memory evicts {rate:.2g} values per second",
                (),
                "",
                "",
                {"hit_percent": hit, "evictions_per_second": rate, "hours": hours_of(series)},
                ExpectedEffect("cache hits", "%", hit, hit, 100.0),
                "None: nothing is changed.",
                "Not needed.",
                f"Check {_REDIS_EVICTIONS}. If they grow, raise workingSetMi, now {current}. Otherwise the"
                " values that are missed were never stored, have expired, or were invalidated; more process"
                " memory (app/cache/memory_layer.py) only replaces reads of Redis.",
            )
        )
    return found


def cache_ttl(history: RecordedHistory) -> list[StackRecommendation]:
    """Report a cache whose entries expire before they are read again, without evictions from process memory.

    Evictions of Redis are not among the signals, so they have to be checked before the change.

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
        if evicted is None or not history.enough(evicted) or any(evicted.values) or not 0 < hit < 0.5:
            continue
        reads = hit / (1 - hit)  # of an entry during its time to live
        factor = min(_MAX_FACTOR, math.ceil(_GOOD_PERCENT / (100 - _GOOD_PERCENT) / reads))
        path, constant = TIMES_TO_LIVE[name]
        found.append(
            StackRecommendation(
                "cache-ttl",
                f"cache {name}: {100 * hit:.0f} % of reads hit and the process memory evicts nothing: unless"
                f" Redis evicts keys, an entry is read again after {1 / reads:.1f} times its time to live",
                (),
                "",
                "",
                {
                    "hit_percent": 100 * hit,
                    "reread_interval_per_ttl": 1 / reads,
                    "factor": factor,
                    "hours": hours_of(series),
                },
                # A longer time to live has no effect if entries are read once, or invalidated by writes.
                ExpectedEffect(
                    "cache hits", "%", 100 * hit, 100 * hit, 100 * factor * reads / (1 + factor * reads)
                ),
                "Values that no write invalidates are stale for longer.",
                "Revert the change.",
                f"Check {_REDIS_EVICTIONS}. If they do not grow, multiply the time to live of the cache"
                f" {name} by {factor}: {constant} in {path}.",
            )
        )
    return found
