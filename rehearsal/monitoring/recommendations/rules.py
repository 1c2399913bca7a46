"""All rules that derive recommendations from recorded signals.

A rule needs a minimum history; with a short history its estimate has a wider interval, like that of the
Vertical Pod Autoscaler (`history.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rehearsal.monitoring.recommendations.caches import cache_size, cache_ttl
from rehearsal.monitoring.recommendations.database import database_tier, index_advice, pool_size
from rehearsal.monitoring.recommendations.history import RecordedHistory
from rehearsal.monitoring.recommendations.rate_limits import rate_limits
from rehearsal.monitoring.recommendations.recommendation import StackRecommendation
from rehearsal.monitoring.recommendations.workload import (
    cpu_request,
    max_replicas,
    memory,
    min_replicas,
    node_pool,
    scaling_target,
)

Rule = Callable[[RecordedHistory], list[StackRecommendation]]

# Of the rules that change the same setting, the first one applies.
RULES: Final[Sequence[Rule]] = (
    memory,
    max_replicas,
    scaling_target,
    cpu_request,
    min_replicas,
    node_pool,
    cache_size,
    cache_ttl,
    pool_size,
    database_tier,
    index_advice,
    rate_limits,
)
# Each assumes that the other settings of the role are unchanged, so only one of them applies.
_CAPACITY: Final = frozenset({"max-replicas", "scaling-target", "cpu-request", "min-replicas"})


def recommendations(history: RecordedHistory) -> list[StackRecommendation]:
    """Apply all rules. Raises SourceError."""
    found: list[StackRecommendation] = []
    taken: set[tuple[str, ...]] = set()
    for one in (one for rule in RULES for one in rule(history)):
        subject = ("capacity", one.path[1]) if one.rule in _CAPACITY else one.path
        if not subject or subject not in taken:
            taken.add(subject)
            found.append(one)
    return found
