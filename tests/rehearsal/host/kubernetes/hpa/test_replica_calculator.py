"""Replica counts with upstream's arithmetic."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.host.kubernetes.hpa.model import ControllerConfig, PodReading, PodState
from rehearsal.host.kubernetes.hpa.replica_calculator import (
    MetricError,
    ReplicaCalculator,
    Tolerances,
    ceil_int32,
    group_pods,
    pod_requests,
    sum_for_average,
    sum_for_value,
    usage_ratio,
    utilization_ratio,
)

MAX_INT32, MAX_INT64 = 2**31 - 1, 2**63 - 1


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


@pytest.mark.parametrize(
    ("fields", "taken", "group"),
    [
        # The initialization period of 300 s is over exactly at its end.
        ({"started": -300.0}, -900.0, "ready"),
        ({"started": -299.0, "ready_since": -60.0}, 0.0, "ready"),
        ({"started": -299.0, "ready_since": -60.0}, -0.5, "unready"),
        ({"started": -299.0, "ready": "False", "ready_since": -200.0}, 0.0, "unready"),
        # Afterwards, a pod counts as unready only if it did not become ready within 30 s of its start.
        ({"started": -400.0, "ready": "False", "ready_since": -370.0}, 0.0, "ready"),
        ({"started": -400.0, "ready": "False", "ready_since": -370.5}, 0.0, "unready"),
        ({"started": -400.0, "ready_since": -370.5}, 0.0, "ready"),
        ({"started": -400.0, "ready": None}, 0.0, "unready"),
        ({"started": None}, 0.0, "unready"),
        ({"started": -400.0, "deleted": True}, 0.0, "ignored"),
        ({"started": -400.0, "phase": "Failed"}, 0.0, "ignored"),
        ({"started": -400.0, "phase": "Pending"}, 0.0, "unready"),
    ],
)
def test_cpu_readings_of_starting_pods_do_not_count(fields: dict[str, Any], taken: float, group: str) -> None:
    pod = PodState("pod-0", **fields)
    found = group_pods([pod], ["pod-0"], {"pod-0": PodReading(1, taken)}, "cpu", 0.0, ControllerConfig())
    names = {"unready": found.unready, "missing": found.missing, "ignored": found.ignored}
    assert found.ready == (group == "ready")
    assert [name for name, members in names.items() if members] == ([] if group == "ready" else [group])


def test_memory_readings_of_starting_pods_count() -> None:
    young = PodState("pod-0", started=-1.0, ready="False")
    found = group_pods([young], ["pod-0"], {"pod-0": PodReading(1)}, "memory", 0.0, ControllerConfig())
    assert found.ready == 1
    unmeasured = group_pods([young], [], {}, "memory", 0.0, ControllerConfig())
    assert unmeasured.missing == {"pod-0"}


def requesting(name: str, amount: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "resources": {"requests": {"memory": amount}}, **more}


@pytest.mark.parametrize(
    ("spec", "requested"),
    [
        ({"containers": [requesting("a", "5"), requesting("b", "2")]}, 7_000),
        ({"containers": [requesting("a", "5")], "overhead": {"memory": "1"}}, 6_000),
        ({"containers": [{"name": "a"}], "overhead": {"memory": "1"}}, 1_000),
        ({"containers": [{"name": "a"}], "initContainers": [requesting("i", "5")]}, 5_000),
        # A sidecar runs beside later init containers and beside the containers.
        (
            {
                "containers": [requesting("a", "5")],
                "initContainers": [requesting("s", "3", restartPolicy="Always"), requesting("i", "4")],
            },
            8_000,
        ),
        (
            {
                "containers": [requesting("a", "5")],
                "initContainers": [requesting("s", "3", restartPolicy="Always"), requesting("i", "6")],
            },
            9_000,
        ),
        ({"containers": [requesting("a", "5")], "initContainers": [requesting("i", "4")]}, 5_000),
    ],
)
def test_resource_without_pod_level_request_is_summed_over_containers(
    spec: dict[str, Any], requested: int
) -> None:
    pod = PodState("pod-0", spec={"resources": {"requests": {"cpu": "2"}}, **spec})
    assert pod_requests([pod], "", "memory") == {"pod-0": requested}


def test_resource_that_neither_pod_nor_containers_request_is_missing() -> None:
    pod = PodState("pod-0", spec={"resources": {"requests": {"cpu": "2"}}, "containers": [{"name": "a"}]})
    with pytest.raises(MetricError, match="missing pod-level request for memory in Pod pod-0"):
        pod_requests([pod], "", "memory")


@pytest.mark.parametrize(
    ("level", "resource", "requested"),
    [
        ({"cpu": "2", "memory": "1"}, "memory", 1_000),
        ({"hugepages-2Mi": "4"}, "hugepages-2Mi", 4_000),
        ({"hugepages-2Mi": "4"}, "memory", 7_000),
    ],
)
def test_pod_level_requests_of_cpu_memory_and_huge_pages(
    level: dict[str, str], resource: str, requested: int
) -> None:
    spec = {"resources": {"requests": level}, "containers": [requesting("a", "7")]}
    assert pod_requests([PodState("pod-0", spec=spec)], "", resource) == {"pod-0": requested}


def test_other_resources_have_no_pod_level_request() -> None:
    spec = {
        "resources": {"requests": {"cpu": "1", "example.com/gpu": "2"}},
        "containers": [{"name": "a", "resources": {"requests": {"example.com/gpu": "1"}}}],
    }
    assert pod_requests([PodState("pod-0", spec=spec)], "", "example.com/gpu") == {"pod-0": 1_000}


def test_sidecars_count_and_init_containers_do_not() -> None:
    spec = {
        "containers": [requesting("a", "5"), requesting("b", "2")],
        "initContainers": [requesting("s", "3", restartPolicy="Always"), requesting("i", "9")],
    }
    pod = PodState("pod-0", spec=spec)
    assert pod_requests([pod], "", "memory") == {"pod-0": 10_000}
    assert [pod_requests([pod], name, "memory")["pod-0"] for name in ("a", "b", "s")] == [5_000, 2_000, 3_000]


def test_other_containers_need_no_request_for_a_container_metric() -> None:
    pod = PodState("pod-0", spec={"containers": [{"name": "bare"}, requesting("a", "5")]})
    assert pod_requests([pod], "a", "memory") == {"pod-0": 5_000}


def test_readings_of_unknown_pods_are_not_utilization() -> None:
    found = utilization_ratio(readings(500, 9_999), {"pod-0": 1_000}, 50)
    assert (found.ratio, found.utilization, found.average) == (1.0, 50, 500)
    assert utilization_ratio(readings(1), {"pod-0": 1}, 50).utilization == 100
    with pytest.raises(MetricError, match="no metrics returned matched known pods"):
        utilization_ratio(readings(500), {"pod-9": 1_000}, 50)


def test_averages_are_rounded_towards_zero() -> None:
    assert usage_ratio(readings(-7, 0), 1)[1] == -3
    assert usage_ratio(readings(7, 0), 1)[1] == 3


def test_metrics_without_readings_are_invalid() -> None:
    with pytest.raises(MetricError, match="no pods returned by selector"):
        calculator([]).for_average(1, readings(), 10)
    with pytest.raises(MetricError, match="did not receive metrics"):
        calculator(pods(2)).for_average(2, readings(), 10)


def test_without_assumed_readings_the_measured_pods_decide() -> None:
    # The declared count is 1, and three pods run.
    assert calculator(pods(3)).for_utilization(1, readings(400, 400, 400), 50, "cpu", "")[0] == 3
    assert calculator(pods(3)).for_average(1, readings(8, 8, 8), 10)[0] == 3


@pytest.mark.parametrize(
    ("current", "count", "values", "replicas"),
    [
        (3, 3, (800, 800), 3),  # up: with the missing pod idle, 53 % is within the tolerance of 50 %
        (3, 3, (400, 400), 3),  # down: with the missing pod busy, 60 % is above the target
        (4, 4, (750,), 4),  # up: with three idle pods, 18 % would even scale down
        (2, 4, (100, 100, 100), 2),  # down: 32 % of four pods would be three, more than declared
        (5, 2, (1_400,), 5),  # up: 70 % of two pods would be three, fewer than declared
        (2, 2, (3_000,), 6),
        (8, 4, (10, 10, 10), 2),
    ],
)
def test_assumed_readings_never_turn_the_direction_around(
    current: int, count: int, values: tuple[int, ...], replicas: int
) -> None:
    found, _ = calculator(pods(count)).for_utilization(current, readings(*values), 50, "cpu", "")
    assert found == replicas


def test_unready_pods_are_idle_only_on_the_way_up() -> None:
    young = [PodState(f"pod-{n}", started=-10.0, ready="False", spec=pods(1)[0].spec) for n in (1, 2)]
    states = [*pods(1), *young]
    assert calculator(states).for_utilization(3, readings(2_000, 0, 0), 50, "cpu", "")[0] == 4
    assert calculator(states).for_utilization(3, readings(500, 0, 0), 50, "cpu", "")[0] == 3
    assert calculator(states).for_utilization(3, readings(250, 0, 0), 50, "cpu", "")[0] == 1


def test_value_of_the_whole_counts_running_and_ready_pods() -> None:
    states = [*pods(2), PodState("pod-2", ready="False"), PodState("pod-3", phase="Pending")]
    assert calculator(states).for_value(4, 30, 10) == 6
    assert calculator(states).for_value(4, 11, 10) == 4, "within the tolerance"
    assert calculator([]).for_value(4, 10, 10) == 4
    with pytest.raises(MetricError, match="unable to calculate ready pods"):
        calculator([]).for_value(4, 30, 10)


def test_value_of_the_whole_is_the_count_from_zero() -> None:
    assert calculator([]).for_value(0, 25, 10) == 3
    assert calculator(pods(2)).for_value(1, 25, 10) == 5
    assert calculator([]).for_value(0, 5, 0) == -(2**31), "as Go converts infinity"
    assert calculator([]).for_value(0, 0, 0) == -(2**31), "as Go converts NaN"


def test_counts_are_capped_at_the_int32_maximum() -> None:
    assert calculator(pods(2)).for_value(1, MAX_INT32 * 1_000, 1_000) == MAX_INT32
    assert calculator(pods(1)).for_value(1, MAX_INT32, 1) == MAX_INT32
    assert calculator(pods(1)).for_average_of_external(1, (MAX_INT32 + 1) * 10, 10)[0] == MAX_INT32
    assert (ceil_int32(MAX_INT32), ceil_int32(MAX_INT32 + 0.5)) == (MAX_INT32, -(2**31))
    assert (ceil_int32(-(2.0**31)), ceil_int32(0.1)) == (-(2**31), 1)


def test_averages_of_shared_metrics_do_not_overflow() -> None:
    assert calculator(pods(4)).for_average_of_external(4, MAX_INT64, 10_000)[1] == MAX_INT64
    assert calculator(pods(4)).for_average_of_object(0, 50_000, 10_000)[1] == -(2**63)
    assert calculator(pods(4)).for_average_of_object(4, 41_000, 10_000) == (4, 10_250)
    assert calculator(pods(4)).for_average_of_object(4, 45_000, 10_000) == (5, 11_250)


def test_sums_of_series_may_be_negative_for_a_value_and_not_for_an_average() -> None:
    assert (sum_for_value([1, 2]), sum_for_value([-5, 3]), sum_for_value([MAX_INT64, -1, 1])) == (
        3, -2, MAX_INT64,
    )  # fmt: skip
    assert sum_for_value([MAX_INT64 - 1, 1, -5]) == MAX_INT64 - 5, "the maximum itself is not an overflow"
    assert (sum_for_average([1, 2]), sum_for_average([0]), sum_for_average([-1])) == (3, 0, MAX_INT64)
