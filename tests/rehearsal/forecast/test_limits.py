"""Which resource limits first, whether a forecast meets the targets, and what would have to change."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from rehearsal.forecast.calibration import Estimate
from rehearsal.forecast.limits import ResourceLimit, advice, limits, target_results
from rehearsal.forecast.simulation import Forecast, Second
from tests.rehearsal.forecast.factories import SECONDS_PER_REQUEST, calibration, forecast, platform, scalable

CPU_OF_20 = "CPU of api at 20 replicas"


def by_name(*changed: Any, **changes: Any) -> dict[str, ResourceLimit]:
    """The limits of a platform by the first word of the resource, and "" for the first one."""
    found = limits(replace(platform(20), **changes), calibration(*changed), SECONDS_PER_REQUEST)
    assert [each.users for each in found] == sorted(each.users for each in found)
    return {each.resource: each for each in found} | {"": found[0]}


def test_first_limit_is_where_the_targets_stop_to_hold() -> None:
    first = limits(platform(20), calibration(), SECONDS_PER_REQUEST)[0]
    assert first.resource == CPU_OF_20
    assert "workload.api.maxReplicas" in first.remedy
    assert all(each.holds for each in target_results(forecast(first.users * 0.95, max_replicas=20)))
    assert not all(each.holds for each in target_results(forecast(first.users * 1.08, max_replicas=20)))


def test_nodes_limit_replicas() -> None:
    assert limits(platform(max_nodes=3), calibration(), SECONDS_PER_REQUEST)[0].resource == (
        "CPU of api at 45 replicas"
    )


# 40 workers and 20 replicas of `api` need 60 times 27 connections.
@pytest.mark.parametrize(
    ("connections", "share"), [(1620, math.inf), (1619, 19), (1107, 1), (1080, 0), (500, 0)]
)
def test_connections_limit_pods_beside_the_workers(connections: int, share: float) -> None:
    found = by_name(connections=connections)
    users = found[f"{connections} database connections, 27 per pod"].users
    assert users == pytest.approx(share * found[CPU_OF_20].users / 20)
    assert users >= 0


def test_redis_limits_at_80_percent_of_its_core() -> None:
    # 2 ms of the one core of Redis for a request: 400 requests/s.
    found = by_name(0.005, 0.002)[""]
    assert found.resource == "Redis (shared) at 80% of its core"
    assert found.users == pytest.approx(400 * SECONDS_PER_REQUEST)
    assert "cache.separate" in found.remedy


def test_a_worker_that_costs_nothing_at_the_low_estimate_limits_nothing_there() -> None:
    measured = calibration()
    noisy = replace(measured, cpu={**measured.cpu, "worker": Estimate(0.0, 0.001, 0.002)})
    found = [limits(platform(20), noisy, SECONDS_PER_REQUEST, position) for position in (-1, 0)]
    assert ["CPU of worker at 40 replicas" in {each.resource for each in one} for one in found] == [
        False,
        True,
    ]


def test_workers_limit_at_the_cpu_of_all_their_replicas() -> None:
    # 40 workers of one core, 100 ms for a request.
    found = by_name(0.005, 0.00005, 0.1)[""]
    assert (found.resource, found.users) == (
        "CPU of worker at 40 replicas", pytest.approx(400 * SECONDS_PER_REQUEST)
    )  # fmt: skip
    free = by_name(0.005, 0.00005, 0.0)
    assert "CPU of worker at 40 replicas" not in free


@pytest.mark.parametrize(("client_rate", "limited"), [(None, False), (0.1, False), (0.09, True)])
def test_rate_limit_below_the_requests_of_one_user_serves_none(
    client_rate: float | None, limited: bool
) -> None:
    first = by_name(client_rate=client_rate)[""]
    assert (first.resource == "rate limit of one client at the edge") == limited
    assert (first.users == 0.0) == limited


def test_costlier_request_lowers_the_first_limit() -> None:
    users = [
        limits(platform(), calibration(), SECONDS_PER_REQUEST, position)[0].users for position in (-1, 0, 1)
    ]
    assert users == sorted(users, reverse=True)
    assert len(set(users)) == 3


def test_cpu_that_the_machine_could_not_use_is_not_used_by_the_forecast_either() -> None:
    whole = limits(platform(20), calibration(), SECONDS_PER_REQUEST)[0]
    half = limits(platform(20), scalable(usable=Estimate(0.4, 0.5, 0.6)), SECONDS_PER_REQUEST)[0]
    assert half.resource == whole.resource
    assert half.users == pytest.approx(whole.users / 2, rel=0.1)


def second(**changes: Any) -> Second:
    """A second of 100 requests, all served in time."""
    given: dict[str, Any] = {
        "at": 0, "users": 1000.0, "rate": 100.0, "served": 100.0, "errors": 0.0, "p50": 0.1, "p95": 0.2,
        "p99": 0.3, "api": 5, "api_wanted": 5, "worker": 3, "nodes": 6, "cpu": 0.3, "redis": 0.1,
        "connections": 0.1, "backlog": 0.0, "queue": 0.0, "usd": 4.0,
    }  # fmt: skip
    return Second(**(given | changes))


def of(*seconds: Second) -> Forecast:
    return Forecast(platform(), calibration(), list(seconds), {})


def missed(*seconds: Second) -> set[str]:
    return {each.target for each in target_results(of(*seconds)) if not each.holds}


@pytest.mark.parametrize(
    ("changes", "targets"),
    [
        ({}, set()),
        ({"p50": 0.1999, "p95": 0.4999, "p99": 0.9999}, set()),
        ({"p50": 0.2}, {"TGT1 P50"}),
        ({"p95": 0.5}, {"TGT1 P95"}),
        ({"p99": 1.0}, {"TGT1 P99"}),
        ({"served": 99.0, "errors": 0.0099}, set()),
        ({"served": 98.9}, {"TGT2 requests served"}),
        ({"errors": 0.01}, {"TGT3 errors"}),
    ],
)
def test_targets_hold_below_their_limits(changes: dict[str, float], targets: set[str]) -> None:
    assert missed(second(**changes)) == targets


@pytest.mark.parametrize(("slow_rate", "targets"), [(100.0, set()), (101.0, {"TGT1 P95"})])
def test_percentile_may_be_missed_in_one_percent_of_the_requests(slow_rate: float, targets: set[str]) -> None:
    # 9,900 requests in time, and a slow second.
    slow = second(rate=slow_rate, served=slow_rate, p95=0.6)
    assert missed(*[second()] * 99, slow) == targets


def test_results_state_the_limit_and_the_worst_value() -> None:
    p95, served, errors = (
        target_results(of(second(), second(p95=1.25, served=98.0, errors=0.02)))[index] for index in (1, 3, 4)
    )
    assert (p95.limit, p95.value) == (
        "< 500 ms in 99% of the requests' seconds",
        "missed in 50.00%, worst 1,250 ms",
    )
    assert (served.limit, served.value) == ("≥ 99%", "99.00%, at most 100 requests/s")
    assert (errors.limit, errors.value) == ("< 1%", "1.00%")


def advised(users: float, max_replicas: int) -> list[str]:
    found = forecast(users, max_replicas=max_replicas)
    first = limits(found.platform, found.calibration, SECONDS_PER_REQUEST)[0]
    return advice(found, first, SECONDS_PER_REQUEST)


def test_forecast_that_meets_the_targets_needs_no_change() -> None:
    assert advised(20_000, 100) == []


def test_replicas_and_nodes_that_are_missing_are_advised_with_their_cost() -> None:
    first, more = advised(60_000, 20)
    assert first.startswith(f"first limit: {CPU_OF_20}: raise workload.api.maxReplicas")
    # 93 replicas on 7 nodes instead of 20 on 2, at 0.4 USD each.
    assert more == (
        "at 6,000 requests/s the CPU target of 65% needs 93 replicas of api, 20 are allowed: 73 more are "
        "5 nodes, 2.00 USD/h at the peak"
    )


def test_limit_below_the_peak_is_advised_although_the_forecast_meets_the_targets() -> None:
    found = forecast(20_000)
    first = ResourceLimit("connections", 20_000 * (1 - 1e-9), "raise them")
    assert advice(found, first, SECONDS_PER_REQUEST) == ["first limit: connections: raise them"]
    assert advice(found, replace(first, users=20_000.0), SECONDS_PER_REQUEST) == []
