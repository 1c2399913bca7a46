"""Compute the next step of a Deployment's rollout: pods to create and to terminate (pure functions).

The rules are those of Kubernetes' deployment controller (``pkg/controller/deployment``): a rolling update
never has more than replicas + maxSurge pods, nor fewer than replicas - maxUnavailable available ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Replica:
    """A pod that is not terminating. `revision` is the hash of its template."""

    name: str
    revision: str
    ready: bool
    available: bool
    created: float


@dataclass(frozen=True)
class RolloutStep:
    """Number of pods of the new revision to create, and pods to terminate."""

    create: int = 0
    end: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Strategy:
    """`surge` and `unavailable` in pods; `recreate` ends all old pods first."""

    surge: int
    unavailable: int
    recreate: bool = False

    @classmethod
    def of(cls, declared: dict[str, Any], replicas: int) -> Strategy:
        """Parse `spec.strategy`. Percentages round up for maxSurge and down for maxUnavailable."""
        if declared.get("type") == "Recreate":
            return cls(0, replicas, recreate=True)
        rolling = declared.get("rollingUpdate") or {}
        surge = _resolved(rolling.get("maxSurge", "25%"), replicas, up=True)
        unavailable = _resolved(rolling.get("maxUnavailable", "25%"), replicas, up=False)
        # With both zero, the rollout could not progress.
        return cls(surge, unavailable if surge or unavailable else 1)


@dataclass
class RolloutProgress:
    """Progress of a rollout, and the time of the last progress.

    Progress is defined as in Kubernetes (``DeploymentProgressing`` in ``pkg/controller/deployment/util``): a
    changed goal, more updated replicas, fewer old replicas, or more available replicas.
    """

    since: float
    goal: tuple[int, str] = (0, "")
    _counts: tuple[int, int, int, int] = (0, 0, 0, 0)

    def look(self, replicas: int, revision: str, pods: Sequence[Replica], now: float) -> None:
        """Record the progress at `now`, in seconds of a monotonic clock."""
        new = sum(pod.revision == revision for pod in pods)
        available, ready = sum(pod.available for pod in pods), sum(pod.ready for pod in pods)
        counts = (new, new - len(pods), ready, available)
        if self.goal != (replicas, revision) or any(
            one > before for one, before in zip(counts, self._counts, strict=True)
        ):
            self.since = now
        self.goal, self._counts = (replicas, revision), counts


def _resolved(value: str | int, replicas: int, *, up: bool) -> int:
    if isinstance(value, str) and value.endswith("%"):
        share = float(value[:-1]) / 100 * replicas
        return math.ceil(share) if up else math.floor(share)
    return int(value)


def step(
    replicas: int, revision: str, pods: Sequence[Replica], ending: int, strategy: Strategy
) -> RolloutStep:
    """Return the next step towards `replicas` pods of `revision`; `ending` pods are terminating."""
    new = [pod for pod in pods if pod.revision == revision]
    old = [pod for pod in pods if pod.revision != revision]
    if strategy.recreate:
        if old or (ending and not new):
            return RolloutStep(end=[pod.name for pod in old])
        return _scale(replicas, new)
    if not old:
        return _scale(replicas, new)
    room = replicas + strategy.surge - len(pods)
    create = max(0, min(room, replicas - len(new)))
    return RolloutStep(create, _old_to_end(replicas, strategy, new, old, create) + _scale(replicas, new).end)


def _scale(replicas: int, pods: Sequence[Replica]) -> RolloutStep:
    """Return the step that scales up, or down: pods that are not ready first, then the youngest."""
    surplus = len(pods) - replicas
    if surplus <= 0:
        return RolloutStep(create=-surplus)
    ordered = sorted(pods, key=lambda pod: (pod.ready, -pod.created))
    return RolloutStep(end=[pod.name for pod in ordered[:surplus]])


def _old_to_end(
    replicas: int, strategy: Strategy, new: Sequence[Replica], old: Sequence[Replica], create: int
) -> list[str]:
    least = replicas - strategy.unavailable
    unavailable_new = sum(not pod.available for pod in new) + create
    # Old pods that are not available can be terminated immediately (cleanupUnhealthyReplicas).
    spare = len(new) + create + len(old) - least - unavailable_new
    broken = [pod for pod in sorted(old, key=lambda pod: pod.created) if not pod.available][: max(0, spare)]
    available = sum(pod.available for pod in (*new, *old))
    healthy = sorted((pod for pod in old if pod.available), key=lambda pod: pod.created)
    return [pod.name for pod in (*broken, *healthy[: max(0, available - least)])]
