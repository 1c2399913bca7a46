"""Replica counts with upstream's arithmetic."""

from __future__ import annotations

import pytest

from rehearsal.host.kubernetes.hpa.model import ControllerConfig, PodReading, PodState
from rehearsal.host.kubernetes.hpa.replica_calculator import (
    MetricError,
    ReplicaCalculator,
    Tolerances,
    pod_requests,
    sum_for_average,
    sum_for_value,
)


def pods(count: int, request: str = "1") -> list[PodState]:
    spec = {"containers": [{"name": "main", "resources": {"requests": {"cpu": request}}}]}
    return [PodState(f"pod-{n}", started=-1000.0, ready_since=-900.0, spec=spec) for n in range(count)]


def calculator(states: list[PodState], tolerance: float = 0.1) -> ReplicaCalculator:
    return ReplicaCalculator(states, 0.0, ControllerConfig(), Tolerances(tolerance, tolerance))


def readings(*values: int) -> dict[str, PodReading]:
    return {f"pod-{number}": PodReading(value) for number, value in enumerate(values)}


def test_a_product_just_above_an_integer_is_rounded_up() -> None:
    # 135 / 65 * 13 is 27.000000000000004 in IEEE doubles.
    replicas, ratio = calculator(pods(13)).for_utilization(13, readings(*[1350] * 13), 65, "cpu", "")
    assert (replicas, ratio.utilization) == (28, 135)


def test_utilization_and_averages_are_truncated_integers() -> None:
    replicas, ratio = calculator(pods(10)).for_utilization(10, readings(*[559] * 10), 50, "cpu", "")
    assert (replicas, ratio.utilization) == (10, 55)
    replicas, average = calculator(pods(3)).for_average(3, readings(10, 10, 12), 10)
    assert (replicas, average) == (3, 10)


def test_missing_pods_hold_back_both_ways() -> None:
    three = pods(3)
    down, _ = calculator(three).for_utilization(3, readings(100, 100), 50, "cpu", "")
    up, _ = calculator(three).for_utilization(3, readings(900, 900), 50, "cpu", "")
    assert (down, up) == (3, 4)


def test_unready_pods_are_idle_on_the_way_up_only() -> None:
    young = PodState("pod-1", started=-10.0, ready="False", ready_since=-5.0, spec=pods(1)[0].spec)
    states = [*pods(1), young]
    assert calculator(states).for_utilization(2, readings(1000, 1000), 50, "cpu", "")[0] == 2
    assert calculator(states).for_utilization(2, readings(100, 1000), 50, "cpu", "")[0] == 1


def test_one_container_without_a_request_makes_the_metric_invalid() -> None:
    terminating = PodState("gone", deleted=True, spec={"containers": [{"name": "main"}]})
    with pytest.raises(MetricError, match="missing request for cpu in container main of Pod gone"):
        calculator([*pods(1), terminating]).for_utilization(1, readings(500), 50, "cpu", "")


def test_pod_level_requests_take_precedence() -> None:
    spec = {"resources": {"requests": {"cpu": "2"}}, "containers": [{"name": "main"}]}
    assert pod_requests([PodState("pod-0", spec=spec)], "", "cpu") == {"pod-0": 2000}
    with pytest.raises(MetricError, match="missing request for cpu"):
        pod_requests([PodState("pod-0", spec=spec)], "main", "cpu")


def test_per_pod_targets_of_shared_metrics_start_from_the_status() -> None:
    assert calculator(pods(4)).for_average_of_external(4, 41_000, 10_000) == (4, 10_250)
    assert calculator(pods(4)).for_average_of_external(4, 50_000, 10_000) == (5, 12_500)
    assert calculator(pods(4)).for_average_of_object(0, 50_000, 10_000)[0] == 5


def test_sums_of_series_do_not_overflow() -> None:
    max_int64 = 2**63 - 1
    assert sum_for_value([max_int64, 1]) == max_int64
    assert sum_for_average([max_int64, 1]) == max_int64
