"""The simulated platform: scaling, overload, limits, and monotonicity."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from rehearsal.forecast.calibration import Calibration, Estimate
from rehearsal.forecast.limits import advice, limits, target_results
from rehearsal.forecast.report import to_html, to_json, to_text
from rehearsal.forecast.scalability import ScalabilityLaw
from rehearsal.forecast.simulation import SYNC_SECONDS, Forecast, Latency, simulate
from rehearsal.report.page import data_of
from rehearsal.scenarios.catalog import load
from rehearsal.scenarios.rate_curve import RateCurve
from tests.rehearsal.forecast.factories import calibration, platform

SECONDS_PER_REQUEST = 10.0


def forecast(
    users: float,
    seconds: float = 900.0,
    *,
    start: float | None = None,
    max_replicas: int = 100,
    position: int = 0,
) -> Forecast:
    curve = RateCurve(((0.0, users if start is None else start), (seconds / 3, users), (seconds, users)))
    return simulate(platform(max_replicas), calibration(), curve, SECONDS_PER_REQUEST, position)


def test_replicas_follow_the_cpu_target() -> None:
    found = forecast(20_000)
    # 2,000 requests/s of 5 ms are 10 cores; 65 % of half a core is 0.325 of one.
    assert found.seconds[-1].api == pytest.approx(10 / 0.325, rel=0.12)
    assert found.deciding_metric == "cpu"
    assert all(each.holds for each in target_results(found))
    assert (
        advice(found, limits(found.platform, found.calibration, SECONDS_PER_REQUEST)[0], SECONDS_PER_REQUEST)
        == []
    )


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
    first = limits(found.platform, found.calibration, SECONDS_PER_REQUEST)[0]
    texts = advice(found, first, SECONDS_PER_REQUEST)
    assert "needs 93 replicas of api, 20 are allowed" in texts[1]
    assert "USD/h" in texts[1]


def test_the_first_limit_is_where_the_targets_stop_to_hold() -> None:
    first = limits(platform(20), calibration(), SECONDS_PER_REQUEST)[0]
    assert first.resource == "CPU of api at 20 replicas"
    assert all(each.holds for each in target_results(forecast(first.users * 0.95, max_replicas=20)))
    assert not all(each.holds for each in target_results(forecast(first.users * 1.08, max_replicas=20)))


def test_connections_and_nodes_limit_before_cpu_where_they_are_scarce() -> None:
    scarce = limits(platform(connections=1500), calibration(), SECONDS_PER_REQUEST)[0]
    assert "1500 database connections, 27 per pod" in scarce.resource
    few = limits(platform(max_nodes=3), calibration(), SECONDS_PER_REQUEST)[0]
    assert few.resource == "CPU of api at 45 replicas"


@pytest.mark.parametrize("users", [5_000, 20_000, 40_000])
def test_more_load_never_costs_less_and_is_never_served_faster(users: float) -> None:
    low, high = forecast(users), forecast(users * 1.2)
    assert sum(each.usd for each in high.seconds) >= sum(each.usd for each in low.seconds)
    assert high.seconds[-1].p95 >= low.seconds[-1].p95 * 0.9
    assert high.seconds[-1].api >= low.seconds[-1].api


def test_a_costlier_request_lowers_the_first_limit() -> None:
    users = [
        limits(platform(), calibration(), SECONDS_PER_REQUEST, position)[0].users for position in (-1, 0, 1)
    ]
    assert users == sorted(users, reverse=True)


def test_percentiles_grow_with_utilization_from_the_measured_ones() -> None:
    latency = Latency(calibration())
    idle = latency.percentiles(10, 1.0, 0.005)
    assert idle[0] == pytest.approx(0.009, rel=0.1)
    before = idle
    for rate in (400, 1000, 1600, 1900):
        times = latency.percentiles(10, rate, 0.005)
        assert all(a >= b for a, b in zip(times, before, strict=True))
        before = times


def test_an_hour_at_150000_users_takes_less_than_ten_seconds() -> None:
    began = time.process_time()
    found = simulate(platform(), calibration(), load().scenario("stress").users(), SECONDS_PER_REQUEST)
    assert time.process_time() - began < 10.0
    assert len(found.seconds) == 3600
    assert max(each.users for each in found.seconds) == 150_000


def test_reports_state_result_limit_cost_and_calibration() -> None:
    forecasts = [forecast(20_000, seconds=120, position=position) for position in (1, 0, -1)]
    data = to_json(forecasts, "peak", SECONDS_PER_REQUEST)
    text, html = (each(forecasts, "peak", SECONDS_PER_REQUEST) for each in (to_text, to_html))
    assert data["holds"] is True
    assert (
        data["firstLimit"]["resource"] == "Redis (shared) at 80% of its core"
        or "CPU of api" in data["firstLimit"]["resource"]
    )
    assert "90 % interval" in text
    assert "2026-11-25, commit abc, test, 2 cores" in text
    assert "USD/h" in text
    assert [each["title"] for each in data_of(html)["plots"]][:4] == [
        "Users", "Requests", "Response time", "Replicas"
    ]  # fmt: skip


def scalable(**changes: Any) -> Calibration:
    found = calibration()
    return replace(found, scalability=replace(found.scalability, **changes))


def test_cpu_that_the_machine_could_not_use_is_not_used_by_the_forecast_either() -> None:
    whole = limits(platform(20), calibration(), SECONDS_PER_REQUEST)[0]
    half = limits(platform(20), scalable(usable=Estimate(0.4, 0.5, 0.6)), SECONDS_PER_REQUEST)[0]
    assert half.resource == whole.resource
    assert half.users == pytest.approx(whole.users / 2, rel=0.1)


def test_throughput_falls_with_the_backlog_as_the_law_says() -> None:
    users = RateCurve(((0.0, 60_000.0), (300.0, 60_000.0)))
    # Beyond 16 requests in flight throughput falls, to half of its peak at 64.
    falling = scalable(law=ScalabilityLaw(100.0, 0.0, 1 / 256, (1.0, 64.0)))
    found = simulate(platform(20), falling, users, SECONDS_PER_REQUEST).seconds[-1]
    whole = simulate(platform(20), calibration(), users, SECONDS_PER_REQUEST).seconds[-1]
    assert found.served == pytest.approx(whole.served * falling.scalability.remaining(64))
    assert found.served < whole.served * 0.6
