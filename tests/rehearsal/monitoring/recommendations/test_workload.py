"""Rules for the roles: lines that cause a recommendation, and lines that must not."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rehearsal.monitoring.recommendations.workload import (
    cpu_request,
    max_replicas,
    memory,
    min_replicas,
    node_pool,
    scaling_target,
)
from tests.rehearsal.monitoring.recommendations.lines import (
    API,
    MIB,
    WORKER,
    Line,
    Lines,
    between,
    changed,
    every,
    mixed,
    rarely,
    rising,
    run,
    until,
    with_gaps,
)

API_MEMORY = API["resources"]["memoryMi"]
WORKER_MEMORY = WORKER["resources"]["memoryMi"]
API_MAXIMUM = API["maxReplicas"]
WEEK = 168.0


def test_memory_that_is_nearly_used_up_is_raised() -> None:
    (found,) = run(memory, {"memory-by-role": {"api": 0.95 * API_MEMORY * MIB}})
    assert found.path == ("kingdom:workload", "api", "resources", "memoryMi")
    assert int(found.new) >= 0.95 * API_MEMORY * 1.15
    assert found.effect.low < 100 * 0.95 * API_MEMORY / int(found.new) < found.effect.high


def test_memory_that_is_hardly_used_is_lowered_the_more_the_longer_the_history() -> None:
    lines: Lines = {"memory-by-role": {"api": 0.2 * API_MEMORY * MIB}}
    (day,) = run(memory, lines)
    (week,) = run(memory, lines, WEEK)
    assert int(week.new) < int(day.new) < API_MEMORY
    assert week.effect.low < 100 * 0.2 * API_MEMORY / int(week.new) < week.effect.high


@pytest.mark.parametrize(
    ("line", "hours"),
    [
        (0.7 * API_MEMORY * MIB, 24.0),
        (0.2 * API_MEMORY * MIB, 2.0),
        (0.99 * API_MEMORY * MIB, 2.0),
        (0.2 * API_MEMORY * MIB, 3.0),
        (with_gaps(0.99 * API_MEMORY * MIB), 3.0),
        (math.nan, 24.0),
        (0.0, WEEK),
        (-1.0, WEEK),
        (rising(0.2 * API_MEMORY * MIB, API_MEMORY * MIB / 60_000), WEEK),
        (rarely(0.8 * API_MEMORY * MIB, 0.1 * API_MEMORY * MIB), WEEK),
        (API_MEMORY * MIB / 1.15, 24.0),
        (between(0, 90, 0.99 * API_MEMORY * MIB, None), 24.0),
    ],
    ids=[
        "fits",
        "short",
        "short-and-full",
        "wide-interval",
        "gaps",
        "no-number",
        "zero",
        "below-zero",
        "leaks",
        "peaks",
        "fits-exactly",
        "few-values",
    ],
)
def test_memory_is_not_recommended(line: Line, hours: float) -> None:
    assert run(memory, {"memory-by-role": {"api": line}}, hours) == []


@pytest.mark.parametrize(
    "line",
    [
        mixed(0.95 * API_MEMORY * MIB),
        between(900, 901, 0.95 * API_MEMORY * MIB, 0.3 * API_MEMORY * MIB),
        rising(0.5 * API_MEMORY * MIB, API_MEMORY * MIB / 3000),
    ],
    ids=["not-finite", "one-peak", "leaks"],
)
def test_memory_is_raised_for_one_peak_and_from_finite_values(line: Line) -> None:
    (found,) = run(memory, {"memory-by-role": {"api": line}})
    assert int(found.new) > API_MEMORY


def test_memory_that_has_levelled_off_is_lowered() -> None:
    """After a deployment, it rose for ten hours of a week."""
    settled: Line = lambda index: (0.2 - 0.1 * math.exp(-index / 300)) * API_MEMORY * MIB  # noqa: E731
    (found,) = run(memory, {"memory-by-role": {"api": settled, "worker": 0.7 * WORKER_MEMORY * MIB}}, WEEK)
    assert int(found.new) < API_MEMORY


def test_a_role_that_is_not_declared_is_left_out() -> None:
    assert run(memory, {"memory-by-role": {"other": 1.0}}) == []


def cpu(cores_per_pod: Line, replicas: Line) -> Lines:
    def total(index: int) -> float | None:
        value = cores_per_pod(index) if callable(cores_per_pod) else cores_per_pod
        count = replicas(index) if callable(replicas) else replicas
        return None if value is None or count is None else value * count

    return {"cpu-by-role": {"api": total}, "replicas": {"api": replicas}}


def test_a_cpu_request_that_is_hardly_used_at_the_minimum_is_lowered() -> None:
    (found,) = run(cpu_request, cpu(0.05, API["minReplicas"]), WEEK)
    assert found.path == ("kingdom:workload", "api", "resources", "cpuMilli")
    # 50m, with 15 % and one day in seven more, is 65 % of the new request.
    assert (found.old, found.new) == ("500", "110")
    assert found.effect.now == pytest.approx(10.0)
    assert found.effect.low < 100 * 50 / 110 < found.effect.high <= API["cpuPercent"]


def test_a_cpu_request_that_is_exceeded_at_the_maximum_is_raised() -> None:
    (found,) = run(cpu_request, cpu(0.6, API_MAXIMUM), WEEK)
    assert (found.old, found.new) == ("500", "690")
    assert found.effect.low < 100 * 600 / 690 < found.effect.high


def test_a_cpu_request_is_not_raised_beyond_the_limit() -> None:
    (found,) = run(cpu_request, cpu(0.99, API_MAXIMUM), WEEK)
    assert int(found.new) == API["resources"]["cpuLimitMilli"]


@pytest.mark.parametrize(
    ("cores", "replicas", "hours"),
    [
        (0.05, API["minReplicas"] + 1, WEEK),
        (0.6, API_MAXIMUM - 1, WEEK),
        (0.42, API_MAXIMUM, WEEK),
        (0.25, API["minReplicas"], WEEK),
        (0.05, API["minReplicas"], 3.0),
        (0.05, API["minReplicas"], 2.9),
        (with_gaps(0.05), API["minReplicas"], 3.0),
        (math.nan, API["minReplicas"], WEEK),
        (0.05, 0.0, WEEK),
        (0.0, API["minReplicas"], WEEK),
        (0.05, until(5000, API["minReplicas"] + 3, API["minReplicas"]), WEEK),
        (0.05, math.nan, WEEK),
        (0.05, between(0, 90, API["minReplicas"], None), WEEK),
        (rarely(9.0, 0.25), API["minReplicas"], WEEK),
        (rarely(9.0, 0.42), API_MAXIMUM, WEEK),
        (-0.05, API["minReplicas"], WEEK),
    ],
    ids=[
        "autoscaled",
        "below-maximum",
        "fits-at-maximum",
        "fits-at-minimum",
        "wide-interval",
        "short",
        "gaps",
        "no-number",
        "no-replicas",
        "no-use",
        "scaled-down",
        "replicas-unknown",
        "few-values",
        "peaks",
        "peaks-at-maximum",
        "below-zero",
    ],
)
def test_cpu_request_is_not_recommended(cores: Line, replicas: Line, hours: float) -> None:
    assert run(cpu_request, cpu(cores, replicas), hours) == []


def one_pod(**values: Any) -> dict[str, Any]:
    return changed("kingdom:workload", api={**API, "minReplicas": 1, "maxReplicas": 1, **values})


def test_the_request_of_a_role_with_one_pod_follows_from_its_use() -> None:
    (lower,) = run(cpu_request, cpu(0.05, 1.0), WEEK, one_pod())
    assert int(lower.new) < int(lower.old)
    (higher,) = run(cpu_request, cpu(0.6, 1.0), WEEK, one_pod())
    assert int(higher.new) > int(higher.old)


@pytest.mark.parametrize(
    ("cores", "replicas"),
    [
        (mixed(0.05), API["minReplicas"]),
        (0.05, rarely(API["minReplicas"] + 9, API["minReplicas"])),
        (rarely(1e6, 0.05), API["minReplicas"]),
        (0.05, between(0, 200, API["minReplicas"] + 1, API["minReplicas"])),
    ],
    ids=["not-finite", "scaled-at-times", "extreme-at-times", "scaled-down-early"],
)
def test_a_request_is_lowered_from_what_holds_nearly_always(cores: Line, replicas: Line) -> None:
    (found,) = run(cpu_request, cpu(cores, replicas), WEEK)
    assert (found.old, int(found.new)) == ("500", 110)


def test_a_slow_role_at_its_maximum_gets_more_replicas() -> None:
    (found,) = run(max_replicas, {"replicas": {"api": API_MAXIMUM}, "response-time": {"": 2.0}})
    assert (found.path[1:], found.old, found.new) == (("api", "maxReplicas"), "100", "150")
    assert (found.effect.low, found.effect.high) == (100.0, 150.0)


@pytest.mark.parametrize(
    ("replicas", "seconds", "hours"),
    [
        (API_MAXIMUM, 0.2, 24.0),
        (API_MAXIMUM, 1.0, 24.0),
        (API_MAXIMUM - 1, 2.0, 24.0),
        (API_MAXIMUM, 2.0, 2.0),
        (API_MAXIMUM, math.nan, 24.0),
        (until(700, 3.0, API_MAXIMUM), until(700, 2.0, 0.2), 24.0),
        (rarely(API_MAXIMUM, 3.0), 2.0, 24.0),
        (API_MAXIMUM, rarely(2.0, 0.2), 24.0),
        (API_MAXIMUM, between(0, 100, 2.0, None), 24.0),
        (math.nan, 2.0, 24.0),
        (API_MAXIMUM, -2.0, 24.0),
    ],
    ids=[
        "fast",
        "at-the-threshold",
        "below-maximum",
        "short",
        "no-number",
        "slow-before-it",
        "rarely-at-maximum",
        "rarely-slow",
        "few-values",
        "replicas-unknown",
        "below-zero",
    ],
)
def test_max_replicas_is_not_recommended(replicas: Line, seconds: Line, hours: float) -> None:
    lines: Lines = {"replicas": {"api": replicas}, "response-time": {"": seconds}}
    assert run(max_replicas, lines, hours) == []


def test_more_replicas_are_not_requested_while_those_of_now_do_not_run() -> None:
    lines: Lines = {"replicas": {"api": API_MAXIMUM}, "response-time": {"": 2.0}}
    assert run(max_replicas, {**lines, "running-pods": {"api": API_MAXIMUM - 1}}) == []
    assert run(max_replicas, {**lines, "running-pods": {"api": API_MAXIMUM + 1}})  # during a rollout


@pytest.mark.parametrize(
    ("replicas", "seconds"),
    [(mixed(API_MAXIMUM), 2.0), (API_MAXIMUM, mixed(1e9)), (API_MAXIMUM, between(0, 150, 2.0, 0.1))],
    ids=["not-finite", "extreme", "a-tenth-of-the-time"],
)
def test_a_maximum_is_raised_from_finite_values(replicas: Line, seconds: Line) -> None:
    (found,) = run(max_replicas, {"replicas": {"api": replicas}, "response-time": {"": seconds}})
    assert found.new == "150"


def test_a_role_with_one_pod_gets_a_second_one() -> None:
    lines: Lines = {"replicas": {"api": 1.0}, "response-time": {"": 2.0}}
    (found,) = run(max_replicas, lines, 24.0, one_pod())
    assert (found.old, found.new) == ("1", "2")


def test_a_worker_with_an_old_queue_gets_more_replicas() -> None:
    lines: Lines = {"replicas": {"worker": WORKER["maxReplicas"]}, "queue-age": {"": 300.0}}
    (found,) = run(max_replicas, lines)
    assert found.path[1] == "worker"


def slow(cores_per_pod: Line, replicas: Line, seconds: Line) -> Lines:
    return {**cpu(cores_per_pod, replicas), "response-time": {"": seconds}}


def test_a_role_that_is_slow_just_below_its_target_is_scaled_earlier() -> None:
    (found,) = run(scaling_target, slow(0.3, 10.0, 2.0))
    assert found.path == ("kingdom:workload", "api", "cpuPercent")
    assert "at 60 % CPU, near the target of 65 %" in found.finding
    # 300m of 500m are 60 %, divided by 1.2.
    assert (found.old, found.new) == ("65", "50")
    assert found.effect.low <= math.ceil(10 * 60 / 50) <= found.effect.high


@pytest.mark.parametrize(
    ("cores", "replicas", "seconds", "hours"),
    [
        (0.3, 10.0, 0.5, 24.0),
        (0.3, API_MAXIMUM, 2.0, 24.0),
        (0.25, 10.0, 2.0, 24.0),
        (0.36, 10.0, 2.0, 24.0),
        (0.3, 10.0, 2.0, 2.0),
        (0.3, 10.0, math.nan, 24.0),
        (0.3, 10.0, rarely(2.0, 0.5), 24.0),
        (until(700, 0.05, 0.3), 10.0, until(700, 2.0, 0.5), 24.0),
        (0.3, 0.0, 2.0, 24.0),
        (math.nan, 10.0, 2.0, 24.0),
        (0.3, math.nan, 2.0, 24.0),
        (between(0, 90, 0.3, None), 10.0, 2.0, 24.0),
        (0.3, 10.0, -2.0, 24.0),
    ],
    ids=[
        "fast",
        "at-maximum",
        "idle",
        "above-target",
        "short",
        "no-number",
        "rarely",
        "slow-while-idle",
        "no-replicas",
        "use-unknown",
        "replicas-unknown",
        "few-values",
        "below-zero",
    ],
)
def test_scaling_target_is_not_recommended(cores: Line, replicas: Line, seconds: Line, hours: float) -> None:
    assert run(scaling_target, slow(cores, replicas, seconds), hours) == []


@pytest.mark.parametrize(
    ("cores", "replicas", "seconds"),
    [
        (mixed(0.3), 10.0, 2.0),
        (0.3, until(700, 10.0, 3.0), 2.0),
        (0.3, 10.0, mixed(1e9)),
        (0.3, 10.0, between(0, 150, 2.0, 0.5)),
    ],
    ids=["not-finite", "scaled-down", "extreme", "a-tenth-of-the-time"],
)
def test_a_target_is_lowered_from_finite_values(cores: Line, replicas: Line, seconds: Line) -> None:
    (found,) = run(scaling_target, slow(cores, replicas, seconds))
    assert found.new == "50"
    assert found.effect.now < found.effect.low <= found.effect.high


def test_a_target_below_the_min_target_is_not_recommended() -> None:
    config = changed("kingdom:workload", api={**API, "cpuPercent": 35})
    assert run(scaling_target, slow(0.17, 10.0, 2.0), 24.0, config) == []


def resting(cores: Line, replicas: Line, rate: Line) -> Lines:
    return {"cpu-by-role": {"api": cores}, "replicas": {"api": replicas}, "requests": {"": rate}}


def test_a_minimum_that_is_never_needed_is_lowered_to_what_the_load_needs() -> None:
    (found,) = run(min_replicas, resting(0.5, 5.0, 220.0), WEEK)
    # 220 requests/s by 110 of a replica, and one day in seven more.
    assert (found.path[1:], found.old, found.new) == (("api", "minReplicas"), "5", "3")
    assert (found.effect.low, found.effect.high) == (2.0, 3.0)


def test_two_replicas_remain() -> None:
    (found,) = run(min_replicas, resting(0.01, 5.0, 1.0), WEEK)
    assert found.new == "2"


@pytest.mark.parametrize(
    ("cores", "replicas", "rate", "hours"),
    [
        (0.5, 6.0, 220.0, WEEK),
        (1.4, 5.0, 220.0, WEEK),
        (0.5, 5.0, 450.0, WEEK),
        (0.5, 5.0, 220.0, 3.0),
        (0.5, 5.0, 220.0, 2.0),
        (0.5, 5.0, math.nan, WEEK),
        (with_gaps(0.5), 5.0, 220.0, 3.0),
        (0.0, 5.0, 220.0, WEEK),
        (0.5, until(5000, 8.0, 5.0), 220.0, WEEK),
        (0.5, 5.0, between(0, 60, 1.0, None), WEEK),
        (math.nan, 5.0, 220.0, WEEK),
        (0.5, math.nan, 220.0, WEEK),
        (0.5, 5.0, 1e9, WEEK),
        (1e9, 5.0, 220.0, WEEK),
    ],
    ids=[
        "scaled-out",
        "cpu",
        "requests",
        "wide-interval",
        "short",
        "no-number",
        "gaps",
        "no-use",
        "scaled-down",
        "few-requests-recorded",
        "use-unknown",
        "replicas-unknown",
        "extreme-requests",
        "extreme-use",
    ],
)
def test_min_replicas_is_not_recommended(cores: Line, replicas: Line, rate: Line, hours: float) -> None:
    assert run(min_replicas, resting(cores, replicas, rate), hours) == []


@pytest.mark.parametrize(
    ("cores", "replicas", "rate"),
    [
        (mixed(0.5), 5.0, mixed(220.0)),
        (0.5, rarely(9.0, 5.0), 220.0),
        (0.5, 5.0, between(0, 300, 400.0, 220.0)),
    ],
    ids=["not-finite", "scaled-at-times", "peak-of-hours"],
)
def test_a_minimum_is_lowered_from_what_holds_nearly_always(cores: Line, replicas: Line, rate: Line) -> None:
    (found,) = run(min_replicas, resting(cores, replicas, rate), WEEK)
    assert (found.old, found.new) == ("5", "3")


def test_two_replicas_are_not_lowered_to_one() -> None:
    config = changed("kingdom:workload", api={**API, "minReplicas": 2})
    assert run(min_replicas, resting(0.01, 2.0, 1.0), WEEK, config) == []


def test_the_minimum_remains_when_it_is_too_slow() -> None:
    lines = {**resting(0.5, 5.0, 220.0), "response-time": {"": 2.0}}
    assert run(min_replicas, lines, WEEK) == []


def test_replicas_that_do_not_run_are_reported_with_a_command() -> None:
    lines: Lines = {"replicas": {"worker": 10.0}, "running-pods": {"worker": 8.0}}
    (found,) = run(node_pool, lines)
    assert found.path == ()
    assert "kingdom quotas" in found.instead
    assert (found.effect.now, found.effect.low, found.effect.high) == (2.0, 0.0, 2.0)


@pytest.mark.parametrize(
    ("pods", "hours"),
    [
        (10.0, 24.0),
        (11.0, 24.0),
        (8.0, 2.0),
        (rarely(8.0, 10.0), 24.0),
        (math.nan, 24.0),
        (9.5, 24.0),
        (between(0, 90, 8.0, None), 24.0),
        (every(4, None, 10.0), 24.0),
        (1e9, 24.0),
    ],
    ids=["all-run", "rollout", "short", "rarely", "no-number", "a-part", "few-values", "gaps", "extreme"],
)
def test_node_pool_is_not_recommended(pods: Line, hours: float) -> None:
    lines: Lines = {"replicas": {"worker": 10.0}, "running-pods": {"worker": pods}}
    assert run(node_pool, lines, hours) == []


@pytest.mark.parametrize(
    ("replicas", "pods", "missing"),
    [
        (10.0, mixed(8.0), 2.0),
        (until(700, 10.0, 3.0), until(700, 8.0, 3.0), 2.0),
        (1.0, 0.0, 1.0),
        (4.0, between(300, 1441, 4.0, None), 4.0),
    ],
    ids=["not-finite", "scaled-down", "one-pod", "none-for-five-hours"],
)
def test_replicas_that_do_not_run_are_counted(replicas: Line, pods: Line, missing: float) -> None:
    lines: Lines = {"replicas": {"worker": replicas}, "running-pods": {"worker": pods, "api": mixed(2.0)}}
    (found,) = run(node_pool, lines)
    assert found.effect.now == missing
