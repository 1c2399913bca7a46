"""Queueing formulas against exact values, limits, and a simulation of single stations."""

from __future__ import annotations

import heapq
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.forecast.queueing import Station, erlang_b, erlang_c


@given(st.integers(1, 60), st.floats(0.01, 0.99))
def test_erlang_formulas_equal_their_definitions(servers: int, utilization: float) -> None:
    load = servers * utilization
    terms = [math.exp(k * math.log(load) - math.lgamma(k + 1)) for k in range(servers + 1)]
    assert erlang_b(servers, load) == pytest.approx(terms[-1] / sum(terms), rel=1e-6)
    waiting = terms[-1] * servers / (servers - load)
    assert erlang_c(servers, load) == pytest.approx(waiting / (sum(terms[:-1]) + waiting), rel=1e-6)


def test_one_server_is_m_m_1() -> None:
    station = Station(1, rate=8.0, service=0.1)
    assert station.waiting_probability == pytest.approx(0.8)
    assert station.mean_wait == pytest.approx(0.8 / (10.0 - 8.0))
    # P(W > t) = rho * exp(-(mu - lambda) t)
    assert station.wait_percentile(95) == pytest.approx(math.log(0.8 / 0.05) / 2.0)
    assert station.wait_percentile(10) == 0.0


def test_a_thousand_servers_are_computed_without_overflow() -> None:
    assert 0 < erlang_c(1000, 980.0) < 1
    assert Station(1000, 98_000.0, 0.01).wait_percentile(99) < 0.01


@given(st.integers(1, 40), st.floats(0.05, 0.9), st.floats(0.001, 0.5), st.floats(0.0, 4.0))
def test_more_load_never_waits_less_and_more_servers_never_wait_longer(
    servers: int, utilization: float, service: float, variation: float
) -> None:
    rate = utilization * servers / service
    station = Station(servers, rate, service, variation)
    assert Station(servers, rate * 1.05, service, variation).mean_wait >= station.mean_wait
    assert Station(servers + 1, rate, service, variation).mean_wait <= station.mean_wait
    assert station.wait_percentile(99) >= station.wait_percentile(95) >= 0.0


@pytest.mark.parametrize(
    ("servers", "utilization", "constant"), [(1, 0.7, False), (4, 0.8, False), (2, 0.7, True)]
)
def test_waits_are_those_of_a_simulated_station(servers: int, utilization: float, constant: bool) -> None:
    rng, service = random.Random(5), 1.0
    rate = utilization * servers / service
    free, now, waits = [0.0] * servers, 0.0, list[float]()
    for _ in range(60_000):
        now += rng.expovariate(rate)
        starts = max(now, heapq.heappop(free))
        waits.append(starts - now)
        heapq.heappush(free, starts + (service if constant else rng.expovariate(1 / service)))
    station = Station(servers, rate, service, 0.0 if constant else 1.0)
    assert station.mean_wait == pytest.approx(sum(waits) / len(waits), rel=0.15)
    assert station.wait_percentile(95) == pytest.approx(sorted(waits)[int(len(waits) * 0.95)], rel=0.2)
