"""Stabilization windows and rate limits over time."""

from __future__ import annotations

import pytest

from rehearsal.host.kubernetes.hpa.model import (
    AutoscalerState,
    Behavior,
    ControllerConfig,
    Recommendation,
    ScaleEvent,
    ScalingPolicy,
    ScalingRules,
)
from rehearsal.host.kubernetes.hpa.scaling_limits import (
    replicas_changed,
    scale_down_limit,
    scale_up_limit,
    stabilized,
    stabilized_by_behavior,
    store_scale_event,
    within_limits,
    within_rate,
)

CONFIG = ControllerConfig()
PLATFORM = Behavior.parse(
    {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "policies": [
                {"type": "Percent", "value": 100, "periodSeconds": 15},
                {"type": "Pods", "value": 4, "periodSeconds": 15},
            ],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": 300,
            "selectPolicy": "Min",
            "policies": [
                {"type": "Percent", "value": 10, "periodSeconds": 60},
                {"type": "Pods", "value": 5, "periodSeconds": 60},
            ],
        },
    }
)


def steps(behavior: Behavior, start: int, proposals: dict[float, int], low: int = 1) -> list[int]:
    """Replicas after the proposals, by time in seconds; `start` is the number at second 0."""
    state, current = AutoscalerState([Recommendation(start, 0.0)]), start
    found: list[int] = []
    for now, proposal in proposals.items():
        windows = (behavior.up.window or 0.0, 300.0 if behavior.down.window is None else behavior.down.window)
        stable = stabilized_by_behavior(state, current, proposal, *windows, now).replicas
        wanted = within_rate(state, current, stable, (low, 100), behavior.up, behavior.down, now).replicas
        if wanted != current:
            store_scale_event(state, behavior.up, behavior.down, current, wanted, now)
        current = wanted
        found.append(current)
    return found


def test_an_empty_behavior_allows_twice_as_many_or_four_more_a_period() -> None:
    assert steps(Behavior.parse({}), 2, {15: 50, 30: 50, 45: 50}) == [6, 12, 24]


def test_without_behavior_a_sync_allows_twice_as_many_or_four_in_all() -> None:
    assert within_limits(1, 50, 1, 100, CONFIG).replicas == 4
    assert within_limits(10, 50, 1, 100, CONFIG).replicas == 20
    assert within_limits(10, 50, 1, 15, CONFIG).reason == "TooManyReplicas"
    assert within_limits(10, 1, 3, 15, CONFIG).reason == "TooFewReplicas"


def test_without_behavior_the_highest_recent_recommendation_counts() -> None:
    state = AutoscalerState([Recommendation(9, 0.0)])
    assert stabilized(state, 4, 300.0, CONFIG) == 9
    assert stabilized(state, 4, 301.0, CONFIG) == 4


def test_scale_down_requires_lower_recommendations_in_the_whole_window() -> None:
    proposals: dict[float, int] = {15: 4, 150: 6, 299: 4, 301: 4, 451: 4}
    assert steps(Behavior.parse({}), 10, proposals) == [10, 10, 10, 6, 4]


def test_down_as_slowly_as_the_strictest_policy_allows() -> None:
    down = {301.0 + 15 * step: 5 for step in range(9)}
    assert steps(PLATFORM, 100, {0: 5, **down}, 5) == [100, 95, 95, 95, 95, 90, 90, 90, 90, 85]


def test_changes_within_a_period_count_together() -> None:
    behavior = Behavior.parse({"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}})
    assert steps(behavior, 2, {10: 4, 20: 20, 65: 20, 75: 20}) == [4, 6, 6, 8]


def test_a_direction_may_be_disabled() -> None:
    assert steps(Behavior.parse({"scaleDown": {"selectPolicy": "Disabled"}}), 10, {400: 1}) == [10]


def test_bounds_of_a_sync_without_behavior_are_inclusive() -> None:
    found = [within_limits(10, desired, 3, 15, CONFIG) for desired in (2, 3, 15, 16)]
    assert [item.replicas for item in found] == [3, 3, 15, 15]
    within = "DesiredWithinRange"
    assert [item.reason for item in found] == ["TooFewReplicas", within, within, "TooManyReplicas"]
    assert within_limits(10, 50, 1, 21, CONFIG).reason == "ScaleUpLimit"
    assert within_limits(10, 50, 1, 20, CONFIG).reason == "TooManyReplicas"


def test_without_behavior_an_expired_recommendation_is_replaced() -> None:
    state = AutoscalerState([Recommendation(9, 0.0), Recommendation(5, 1.0)])
    stabilized(state, 4, 300.0, CONFIG)
    assert [item.at for item in state.recommendations] == [0.0, 1.0, 300.0]
    stabilized(state, 4, 300.5, CONFIG)
    assert [item.at for item in state.recommendations] == [300.5, 1.0, 300.0]


@pytest.mark.parametrize(
    ("up_window", "down_window", "at", "replaced"),
    [
        (60.0, 300.0, -0.5, True),
        (60.0, 300.0, 0.0, False),
        (60.0, 300.0, 100.0, False),
        (300.0, 60.0, -0.5, True),
        (300.0, 60.0, 0.0, False),
        (300.0, 60.0, 100.0, False),
    ],
)
def test_recommendation_is_replaced_after_both_windows(
    up_window: float, down_window: float, at: float, replaced: bool
) -> None:
    state = AutoscalerState([Recommendation(9, at)])
    stabilized_by_behavior(state, 5, 4, up_window, down_window, 300.0)
    assert (Recommendation(9, at) not in state.recommendations) is replaced


@pytest.mark.parametrize(("age", "counts"), [(59.5, True), (60.0, False)])
def test_windows_exclude_their_beginning(age: float, counts: bool) -> None:
    def replicas(recommended: int, desired: int) -> int:
        state = AutoscalerState([Recommendation(recommended, 300.0 - age)])
        return stabilized_by_behavior(state, 5, desired, 60.0, 60.0, 300.0).replicas

    assert replicas(6, 9) == (6 if counts else 9)
    assert replicas(4, 2) == (4 if counts else 2)


def test_reason_of_a_stabilized_count_is_its_direction() -> None:
    reasons = [
        stabilized_by_behavior(AutoscalerState(), 5, desired, 0.0, 300.0, 0.0).reason for desired in (4, 5, 6)
    ]
    assert reasons == ["ScaleDownStabilized", "ScaleUpStabilized", "ScaleUpStabilized"]


PODS_AND_PERCENT = (ScalingPolicy("Pods", 4, 60), ScalingPolicy("Percent", 10, 60))


@pytest.mark.parametrize(("select", "up", "down"), [("Max", 14, 6), ("Min", 11, 9), ("Disabled", 10, 10)])
def test_selected_policy_limits_the_change(select: str, up: int, down: int) -> None:
    rules = ScalingRules(PODS_AND_PERCENT, select=select)
    assert scale_up_limit(AutoscalerState(), 10, rules, 0.0) == up
    assert scale_down_limit(AutoscalerState(), 10, rules, 0.0) == down


def test_changes_in_both_directions_count_towards_the_start_of_the_period() -> None:
    state = AutoscalerState(scale_ups=[ScaleEvent(2, 50.0)], scale_downs=[ScaleEvent(5, 50.0)])
    rules = ScalingRules((ScalingPolicy("Pods", 4, 60),))
    assert scale_up_limit(state, 10, rules, 100.0) == 10 - 2 + 5 + 4
    assert scale_down_limit(state, 10, rules, 100.0) == 10 - 2 + 5 - 4


def test_change_counts_within_its_period() -> None:
    events = [ScaleEvent(2, 40.0)]
    assert (replicas_changed(events, 60, 99.0), replicas_changed(events, 60, 100.0)) == (2, 0)


@pytest.mark.parametrize(
    ("desired", "bounds", "replicas", "reason"),
    [
        (20, (1, 100), 14, "ScaleUpLimit"),
        (20, (1, 14), 14, "TooManyReplicas"),
        (20, (1, 12), 12, "TooManyReplicas"),
        (14, (1, 100), 14, "DesiredWithinRange"),
        (10, (1, 100), 10, "DesiredWithinRange"),
        (1, (1, 100), 6, "ScaleDownLimit"),
        (1, (6, 100), 6, "TooFewReplicas"),
        (1, (8, 100), 8, "TooFewReplicas"),
        (6, (1, 100), 6, "DesiredWithinRange"),
    ],
)
def test_policies_and_bounds_limit_the_count(
    desired: int, bounds: tuple[int, int], replicas: int, reason: str
) -> None:
    rules = ScalingRules((ScalingPolicy("Pods", 4, 60),))
    found = within_rate(AutoscalerState(), 10, desired, bounds, rules, rules, 0.0)
    assert (found.replicas, found.reason) == (replicas, reason)


def test_count_beyond_a_policy_does_not_change_further() -> None:
    # Ten replicas were added within the period, more than the policy would allow now.
    state = AutoscalerState(scale_ups=[ScaleEvent(10, 0.0)], scale_downs=[])
    rules = ScalingRules((ScalingPolicy("Pods", 4, 60),))
    assert within_rate(state, 20, 30, (1, 100), rules, rules, 10.0).replicas == 20


def test_outdated_event_is_replaced_by_the_next_one() -> None:
    rules = ScalingRules((ScalingPolicy("Pods", 4, 60),))
    state = AutoscalerState()
    for now, before, after in ((0.0, 1, 3), (60.0, 3, 4), (60.5, 4, 9), (70.0, 9, 8)):
        store_scale_event(state, rules, rules, before, after, now)
    assert [(event.change, event.at) for event in state.scale_ups] == [(5, 60.5), (1, 60.0)]
    assert [(event.change, event.at) for event in state.scale_downs] == [(1, 70.0)]
