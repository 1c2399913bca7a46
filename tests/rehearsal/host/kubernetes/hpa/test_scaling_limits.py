"""Stabilization windows and rate limits over time."""

from __future__ import annotations

from rehearsal.host.kubernetes.hpa.model import AutoscalerState, Behavior, ControllerConfig, Recommendation
from rehearsal.host.kubernetes.hpa.scaling_limits import (
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
    """Replicas after each proposal, at the times given, of an autoscaler met at second 0."""
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


def test_fewer_replicas_only_when_all_of_the_window_wants_fewer() -> None:
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
