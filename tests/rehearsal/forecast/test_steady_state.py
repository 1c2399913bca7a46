"""Replicas in closed form are those that the simulated autoscaler arrives at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rehearsal.forecast.declared import DeclaredPlatform
from rehearsal.forecast.simulation import simulate
from rehearsal.forecast.steady_state import cpu_target, steady_state
from rehearsal.scenarios.rate_curve import RateCurve
from tests.rehearsal.forecast.factories import autoscaler, calibration, platform

REQUESTS = {
    "type": "Pods",
    "pods": {
        "metric": {"name": "prometheus.googleapis.com|kingdom_http_requests_per_second|gauge"},
        "target": {"type": "AverageValue", "averageValue": "20000m"},
    },
}


@pytest.mark.parametrize("idle", [0.0, 0.1])
@pytest.mark.parametrize("users", [2_000, 20_000, 60_000])
def test_the_replicas_are_those_of_a_simulation(users: int, idle: float) -> None:
    rate = users / 10
    # The CPU of three pods that serve no requests, for each workload.
    measured = replace(calibration(), idle={"api": 3 * idle, "worker": 3 * idle})
    found = steady_state(platform(), measured, rate)
    curve = RateCurve(((0.0, float(users)), (900.0, float(users))))
    last = simulate(platform(), measured, curve, 10.0).seconds[-1]
    # The autoscaler does not act on a difference of 10 %.
    assert found.api == pytest.approx(last.api, rel=0.11, abs=1)
    assert found.worker == pytest.approx(last.worker, rel=0.11, abs=1)
    assert found.usd == pytest.approx(last.usd, rel=0.1, abs=0.5)


def test_the_highest_proposal_of_all_targets_counts() -> None:
    # 1,000 requests/s of 5 ms at 65 % of half a core: 15.4; at 20 requests/s a pod: 50.
    assert steady_state(platform(), calibration(), 1_000.0).api == 16
    given = platform()
    by_requests = replace(given, api=replace(given.api, autoscaler=autoscaler(5, 100, REQUESTS)))
    assert steady_state(by_requests, calibration(), 1_000.0).api == 50


def test_pods_that_are_above_the_target_without_load_need_all_replicas() -> None:
    measured = replace(calibration(), idle={"api": 3 * 0.4})
    assert steady_state(platform(), measured, 10.0).api == 100


def test_replicas_stay_within_the_declared_bounds() -> None:
    given = platform()
    assert steady_state(given, calibration(), 0.0).api == 5
    assert steady_state(given, calibration(), 1e6).api == 100
    # 2 nodes of 15 pods.
    small = replace(given, api=replace(given.api, pool=replace(given.api.pool, max_nodes=2)))
    assert steady_state(small, calibration(), 1e6).api == 30


def test_the_cost_counts_nodes() -> None:
    given: DeclaredPlatform = platform()
    low, high = (steady_state(given, calibration(), rate) for rate in (100.0, 5_000.0))
    # 3 nodes at least, then 77 pods on 6 nodes of 15; 3 spot nodes at 0.1 hold the workers.
    assert low.usd == pytest.approx(4.0 + 3 * 0.4 + 3 * 0.1)
    assert high.api == 77
    assert high.usd == pytest.approx(4.0 + 6 * 0.4 + 3 * 0.1)


def test_without_a_cpu_metric_the_default_target_is_used() -> None:
    given = platform().api
    assert cpu_target(given) == 0.65
    assert cpu_target(replace(given, autoscaler={"maxReplicas": 3})) == 0.8
