"""The simulated platform: scaling, overload, and monotonicity."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from rehearsal.forecast.limits import target_results
from rehearsal.forecast.scalability import ScalabilityLaw
from rehearsal.forecast.simulation import SYNC_SECONDS, Latency, simulate
from rehearsal.scenarios.catalog import load
from rehearsal.scenarios.rate_curve import RateCurve
from tests.rehearsal.forecast.factories import SECONDS_PER_REQUEST, calibration, forecast, platform, scalable


def test_replicas_follow_the_cpu_target() -> None:
    found = forecast(20_000)
    # 2,000 requests/s of 5 ms are 10 cores; 65 % of half a core is 0.325 of one.
    assert found.seconds[-1].api == pytest.approx(10 / 0.325, rel=0.12)
    assert found.deciding_metric == "cpu"
    assert all(each.holds for each in target_results(found))


def test_decisions_are_made_every_sync_and_pods_take_time_to_start() -> None:
    found = forecast(20_000, start=2_000, seconds=600)
    wanted = [each.api_wanted for each in found.seconds]
    changes = [at for at in range(1, len(wanted)) if wanted[at] != wanted[at - 1]]
    assert changes
    assert all(at % SYNC_SECONDS == 0 for at in changes)
    first = changes[0]
    assert found.seconds[first + 1].api < wanted[first]
    assert found.seconds[first + 25].api >= wanted[first]


def test_an_overload_is_missed_targets_errors_and_a_backlog() -> None:
    found = forecast(60_000, max_replicas=20)
    missed = {each.target for each in target_results(found) if not each.holds}
    assert missed == {"TGT1 P50", "TGT1 P95", "TGT1 P99", "TGT2 requests served", "TGT3 errors"}
    assert found.seconds[-1].served == pytest.approx(20 / 0.005)
    assert found.seconds[-1].backlog > 0


@pytest.mark.parametrize("users", [5_000, 20_000, 40_000])
def test_more_load_never_costs_less_and_is_never_served_faster(users: float) -> None:
    low, high = forecast(users), forecast(users * 1.2)
    assert sum(each.usd for each in high.seconds) >= sum(each.usd for each in low.seconds)
    assert high.seconds[-1].p95 >= low.seconds[-1].p95 * 0.9
    assert high.seconds[-1].api >= low.seconds[-1].api


def test_percentiles_grow_with_utilization_from_the_measured_ones() -> None:
    latency = Latency(calibration())
    idle = latency.percentiles(10, 1.0, 0.005)
    assert idle[0] == pytest.approx(0.009, rel=0.1)
    before = idle
    for rate in (400, 1000, 1600, 1900):
        times = latency.percentiles(10, rate, 0.005)
        assert all(a >= b for a, b in zip(times, before, strict=True))
        before = times


def test_a_mix_without_jobs_needs_no_worker_beyond_the_minimum() -> None:
    measured = replace(calibration(worker=0.0), jobs=0.0)
    users = RateCurve(((0.0, 20_000.0), (300.0, 20_000.0)))
    found = simulate(platform(), measured, users, SECONDS_PER_REQUEST)
    assert {second.worker for second in found.seconds} == {3}


def test_an_hour_at_150000_users_takes_less_than_ten_seconds() -> None:
    began = time.process_time()
    found = simulate(platform(), calibration(), load().scenario("stress").users(), SECONDS_PER_REQUEST)
    assert time.process_time() - began < 10.0
    assert len(found.seconds) == 3600
    assert max(each.users for each in found.seconds) == 150_000


def test_throughput_falls_with_the_backlog_by_the_fitted_law() -> None:
    users = RateCurve(((0.0, 60_000.0), (300.0, 60_000.0)))
    # Beyond 16 requests in flight throughput falls, to half of its peak at 64.
    falling = scalable(law=ScalabilityLaw(100.0, 0.0, 1 / 256, (1.0, 64.0)))
    found = simulate(platform(20), falling, users, SECONDS_PER_REQUEST).seconds[-1]
    whole = simulate(platform(20), calibration(), users, SECONDS_PER_REQUEST).seconds[-1]
    assert found.served == pytest.approx(whole.served * falling.scalability.remaining(64))
    assert found.served < whole.served * 0.6
