"""The HorizontalPodAutoscaler's rules, each with numbers from the documented algorithm."""

from __future__ import annotations

import pytest

from rehearsal.host.kubernetes.hpa_algorithm import (
    Behavior,
    History,
    Sample,
    Tolerance,
    combined,
    decide,
    replicas_for_average,
    replicas_for_shared,
    replicas_for_utilization,
    replicas_for_value,
)

TOLERANCE = Tolerance()


def cpu(*values: float | None, request: float = 1.0) -> list[Sample]:
    return [Sample(value, request) for value in values]


@pytest.mark.parametrize(
    ("used", "wanted"),
    [((1.0, 1.0), 4), ((0.25, 0.25), 1), ((0.54, 0.54), 2), ((0.46, 0.46), 2), ((0.56, 0.56), 3)],
)
def test_utilisation_scales_in_proportion_beyond_a_tolerance(used: tuple[float, ...], wanted: int) -> None:
    assert replicas_for_utilization(2, cpu(*used), 50, TOLERANCE) == wanted


def test_utilisation_is_a_whole_percentage_rounded_down() -> None:
    assert replicas_for_utilization(10, cpu(*[0.5599] * 10), 50, TOLERANCE) == 10


def test_without_requests_there_is_no_utilisation() -> None:
    assert replicas_for_utilization(2, [Sample(0.5, 1.0), Sample(0.5, None)], 50, TOLERANCE) is None


def test_with_nothing_measured_nothing_is_said() -> None:
    assert replicas_for_utilization(2, cpu(None, None), 50, TOLERANCE) is None
    assert replicas_for_average(2, [Sample(5.0, unready=True)], 1, TOLERANCE) is None


def test_a_pod_that_is_not_measured_holds_back_both_ways() -> None:
    # Down: it is taken to use all it requests, (0.1 + 0.1 + 1.0) / 3 = 40 % of a target of 50 %.
    assert replicas_for_utilization(3, cpu(0.1, 0.1, None), 50, TOLERANCE) == 3
    # Up: to use nothing, (0.9 + 0.9 + 0) / 3 = 60 % of a target of 50 %.
    assert replicas_for_utilization(3, cpu(0.9, 0.9, None), 50, TOLERANCE) == 4
    # What it is taken to use must not turn the direction round.
    assert replicas_for_utilization(3, cpu(0.6, 0.6, None), 50, TOLERANCE) == 3


def test_pods_that_are_not_ready_count_as_idle_on_the_way_up_only() -> None:
    young = Sample(1.0, 1.0, unready=True)
    assert replicas_for_utilization(2, [*cpu(1.0), young], 50, TOLERANCE) == 2
    assert replicas_for_utilization(2, [*cpu(0.1), young], 50, TOLERANCE) == 1


def test_an_average_value_is_aimed_at_per_pod() -> None:
    assert replicas_for_average(3, [Sample(160.0)] * 3, 80, TOLERANCE) == 6
    assert replicas_for_average(3, [Sample(86.0)] * 3, 80, TOLERANCE) == 3


def test_values_of_a_whole() -> None:
    assert replicas_for_value(4, 3, 200, 100, TOLERANCE) == 6
    assert replicas_for_shared(4, 700, 100, TOLERANCE) == 7
    assert replicas_for_shared(4, 390, 100, TOLERANCE) == 4


def test_the_most_demanding_metric_wins() -> None:
    assert combined(4, [3, 6, 5]) == 6


def test_a_missing_metric_forbids_going_down_but_not_up() -> None:
    assert combined(4, [None, 2]) is None
    assert combined(4, [None, 9]) == 9
    assert combined(4, [None, None]) is None


def test_the_tolerance_of_each_direction_may_be_declared() -> None:
    behavior = Behavior.of({"scaleUp": {"tolerance": "0.01"}, "scaleDown": {"tolerance": "0.5"}})
    assert replicas_for_average(10, [Sample(52.0)] * 10, 50, behavior.tolerance) == 11
    assert replicas_for_average(10, [Sample(26.0)] * 10, 50, behavior.tolerance) == 10


def steps(
    behavior: Behavior, start: int, proposals: dict[float, int], bounds: tuple[int, int] = (1, 100)
) -> list[int]:
    """Replicas after each proposal, at the times given, of an autoscaler met at second 0."""
    history, current = History([(0.0, start)]), start
    found: list[int] = []
    for now, proposal in proposals.items():
        wanted = decide(now, current, proposal, bounds, behavior, history)
        history.record(now, current, wanted)
        current = wanted
        found.append(current)
    return found


def test_up_by_default_at_once_to_twice_as_many_or_four_more() -> None:
    assert steps(Behavior(), 2, {15: 50, 30: 50, 45: 50}) == [6, 12, 24]


def test_down_by_default_only_after_five_minutes_of_wanting_less() -> None:
    assert steps(Behavior(), 10, {15: 4, 150: 6, 299: 4, 301: 4, 451: 4}) == [10, 10, 10, 6, 4]


PLATFORM = Behavior.of(
    {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
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


def test_down_as_slowly_as_the_strictest_policy_allows() -> None:
    down = {301.0 + 15 * step: 5 for step in range(9)}
    assert steps(PLATFORM, 100, {0: 5, **down}, (5, 100)) == [100, 95, 95, 95, 95, 90, 90, 90, 90, 85]


def test_within_a_period_the_steps_of_a_direction_count_together() -> None:
    behavior = Behavior.of(
        {"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}], "selectPolicy": "Max"}}
    )
    assert steps(behavior, 2, {10: 4, 20: 20, 65: 20, 75: 20}) == [4, 6, 6, 8]


def test_a_direction_may_be_disabled() -> None:
    behavior = Behavior.of({"scaleDown": {"selectPolicy": "Disabled"}})
    assert steps(behavior, 10, {400: 1}) == [10]


def test_an_upward_window_waits_for_the_least_that_was_recommended() -> None:
    behavior = Behavior.of({"scaleUp": {"stabilizationWindowSeconds": 60}})
    assert steps(behavior, 2, {10: 8, 30: 4, 61: 8, 75: 8, 91: 8}) == [2, 2, 4, 4, 8]


def test_bounds_hold_whatever_is_proposed() -> None:
    assert steps(Behavior(), 3, {15: 90}, (2, 5)) == [5]
    assert steps(Behavior(), 9, {15: 90}, (2, 5)) == [5]
    assert steps(Behavior(), 1, {15: 1}, (2, 5)) == [2]
    assert steps(Behavior(), 0, {15: 9}, (2, 5)) == [0]
