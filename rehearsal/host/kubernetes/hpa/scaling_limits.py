"""Stabilization and rate limits of `horizontal.go`, with `spec.behavior` and without."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rehearsal.host.kubernetes.hpa.model import (
    AutoscalerState,
    ControllerConfig,
    Recommendation,
    ScaleEvent,
    ScalingRules,
)
from rehearsal.host.kubernetes.hpa.replica_calculator import ceil_int32, int32

_WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")
_UP_LIMIT = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
_DOWN_LIMIT = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
_TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
_UP_STABILIZED = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_DOWN_STABILIZED = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
_MAX_INT32 = 2**31 - 1


@dataclass(frozen=True)
class Limited:
    """A replica count with upstream's reason for it."""

    replicas: int
    reason: str
    message: str


# -- without spec.behavior --------------------------------------------------------------------------------


def stabilized(state: AutoscalerState, proposal: int, now: float, config: ControllerConfig) -> int:
    """Return the highest recommendation of the downscale window, also on the way up.

    This is `stabilizeRecommendation`. Records the proposal in place of an expired recommendation.
    """
    highest, expired = proposal, None
    cutoff = now - config.downscale_stabilization
    for index, item in enumerate(state.recommendations):
        if item.at < cutoff:
            expired = index
        else:
            highest = max(highest, item.replicas)
    _record(state, expired, Recommendation(proposal, now))
    return highest


def _record(state: AutoscalerState, index: int | None, recommendation: Recommendation) -> None:
    if index is None:
        state.recommendations.append(recommendation)
    else:
        state.recommendations[index] = recommendation


def within_limits(
    current: int, desired: int, min_replicas: int, max_replicas: int, config: ControllerConfig
) -> Limited:
    """Limit `desired` to the bounds and the fixed scale-up limit (`convertDesiredReplicasWithRules`)."""
    limit = int32(int(max(config.scale_up_limit_factor * current, config.scale_up_limit_minimum)))
    highest, reason = (limit, _UP_LIMIT) if max_replicas > limit else (max_replicas, _TOO_MANY)
    if desired < min_replicas:
        return Limited(min_replicas, *_TOO_FEW)
    if desired > highest:
        return Limited(highest, *reason)
    return Limited(desired, *_WITHIN)


# -- with spec.behavior -----------------------------------------------------------------------------------


def stabilized_by_behavior(
    state: AutoscalerState, current: int, desired: int, up_window: float, down_window: float, now: float
) -> Limited:
    """Limit the count to recent recommendations (`stabilizeRecommendationWithBehaviors`).

    On the way up the lowest one is the limit, on the way down the highest one. The windows are in seconds.
    Records `desired`.
    """
    lowest = highest = desired
    up_cutoff, down_cutoff = now - up_window, now - down_window
    expired = None
    for index, item in enumerate(state.recommendations):
        if item.at > up_cutoff:
            lowest = min(lowest, item.replicas)
        if item.at > down_cutoff:
            highest = max(highest, item.replicas)
        if item.at < up_cutoff and item.at < down_cutoff:
            expired = index
    replicas = min(max(current, lowest), highest)
    _record(state, expired, Recommendation(desired, now))
    return Limited(replicas, *(_UP_STABILIZED if desired >= current else _DOWN_STABILIZED))


def within_rate(
    state: AutoscalerState,
    current: int,
    desired: int,
    bounds: tuple[int, int],
    up: ScalingRules,
    down: ScalingRules,
    now: float,
) -> Limited:
    """Limit `desired` to the bounds and the declared policies (`convertDesiredReplicasWithBehaviorRate`)."""
    min_replicas, max_replicas = bounds
    if desired > current:
        limit = max(scale_up_limit(state, current, up, now), current)
        highest, reason = (limit, _UP_LIMIT) if max_replicas > limit else (max_replicas, _TOO_MANY)
        if desired > highest:
            return Limited(highest, *reason)
    elif desired < current:
        limit = min(scale_down_limit(state, current, down, now), current)
        lowest, reason = (limit, _DOWN_LIMIT) if min_replicas < limit else (min_replicas, _TOO_FEW)
        if desired < lowest:
            return Limited(lowest, *reason)
    return Limited(desired, *_WITHIN)


def scale_up_limit(state: AutoscalerState, current: int, rules: ScalingRules, now: float) -> int:
    """Return the maximum replica count that the policies allow (`calculateScaleUpLimitWithScalingRules`)."""
    if rules.select == "Disabled":
        return current
    min_change = rules.select == "Min"
    result = _MAX_INT32 if min_change else -(2**31)
    for policy in rules.policies:
        start = _replicas_at_start(state, current, policy.period, now)
        if policy.type == "Pods":
            proposed = int32(start + policy.value)
        else:
            # Rounded up: a small percentage of few pods would otherwise never scale up.
            proposed = ceil_int32(float(start) * (1 + float(policy.value) / 100))
        result = min(result, proposed) if min_change else max(result, proposed)
    return result


def scale_down_limit(state: AutoscalerState, current: int, rules: ScalingRules, now: float) -> int:
    """Return the minimum replica count that the policies allow (`calculateScaleDownLimitWithBehaviors`)."""
    if rules.select == "Disabled":
        return current
    min_change = rules.select == "Min"
    result = -(2**31) if min_change else _MAX_INT32
    for policy in rules.policies:
        start = _replicas_at_start(state, current, policy.period, now)
        if policy.type == "Pods":
            proposed = int32(start - policy.value)
        else:
            proposed = math.trunc(float(start) * (1 - float(policy.value) / 100))
        result = max(result, proposed) if min_change else min(result, proposed)
    return result


def _replicas_at_start(state: AutoscalerState, current: int, period: int, now: float) -> int:
    """Return the replica count at the start of the last `period` seconds."""
    return int32(
        current
        - replicas_changed(state.scale_ups, period, now)
        + replicas_changed(state.scale_downs, period, now)
    )


def replicas_changed(events: list[ScaleEvent], period: int, now: float) -> int:
    """Return the replicas added or removed within `period` seconds (`getReplicasChangePerPeriod`)."""
    return sum(event.change for event in events if event.at > now - period)


def store_scale_event(
    state: AutoscalerState, up: ScalingRules, down: ScalingRules, before: int, after: int, now: float
) -> None:
    """Record a rescale for the policies, in place of an outdated event (`storeScaleEvent`)."""
    events, rules = (state.scale_ups, up) if after > before else (state.scale_downs, down)
    cutoff, outdated = now - rules.max_period, None
    for index, event in enumerate(events):
        if event.at < cutoff and not event.outdated:
            events[index] = replace(event, outdated=True)
        if events[index].outdated:
            outdated = index
    event = ScaleEvent(abs(after - before), now)
    if outdated is None:
        events.append(event)
    else:
        events[outdated] = event
