"""Rules for the roles fire where they must and stay silent where they must."""

from __future__ import annotations

import math

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
    rarely,
    run,
    with_gaps,
)

API_MEMORY = API["resources"]["memoryMi"]
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
    ],
    ids=["fits", "short", "short-and-full", "wide-interval", "gaps", "no-number"],
)
def test_memory_is_silent(line: Line, hours: float) -> None:
    assert run(memory, {"memory-by-role": {"api": line}}, hours) == []


def test_a_role_that_is_not_declared_is_left_out() -> None:
    assert run(memory, {"memory-by-role": {"other": 1.0}}) == []


def cpu(cores_per_pod: Line, replicas: float) -> Lines:
    def total(index: int) -> float | None:
        value = cores_per_pod(index) if callable(cores_per_pod) else cores_per_pod
        return None if value is None else value * replicas

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
    ],
)
def test_cpu_request_is_silent(cores: Line, replicas: float, hours: float) -> None:
    assert run(cpu_request, cpu(cores, replicas), hours) == []


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
    ],
    ids=["fast", "at-the-threshold", "below-maximum", "short", "no-number"],
)
def test_max_replicas_is_silent(replicas: float, seconds: float, hours: float) -> None:
    lines: Lines = {"replicas": {"api": replicas}, "response-time": {"": seconds}}
    assert run(max_replicas, lines, hours) == []


def test_a_worker_with_an_old_queue_gets_more_replicas() -> None:
    lines: Lines = {"replicas": {"worker": WORKER["maxReplicas"]}, "queue-age": {"": 300.0}}
    (found,) = run(max_replicas, lines)
    assert found.path[1] == "worker"


def slow(cores_per_pod: float, replicas: float, seconds: Line) -> Lines:
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
    ],
    ids=["fast", "at-maximum", "idle", "above-target", "short", "no-number", "rarely"],
)
def test_scaling_target_is_silent(cores: float, replicas: float, seconds: Line, hours: float) -> None:
    assert run(scaling_target, slow(cores, replicas, seconds), hours) == []


def resting(cores: Line, replicas: float, rate: Line) -> Lines:
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
    ],
    ids=["scaled-out", "cpu", "requests", "wide-interval", "short", "no-number", "gaps"],
)
def test_min_replicas_is_silent(cores: Line, replicas: float, rate: Line, hours: float) -> None:
    assert run(min_replicas, resting(cores, replicas, rate), hours) == []


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
    ],
    ids=["all-run", "rollout", "short", "rarely", "no-number"],
)
def test_node_pool_is_silent(pods: Line, hours: float) -> None:
    lines: Lines = {"replicas": {"worker": 10.0}, "running-pods": {"worker": pods}}
    assert run(node_pool, lines, hours) == []
