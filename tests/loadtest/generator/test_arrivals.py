"""Arrival schedules: the integral of the rate, and the distribution of counts."""

from __future__ import annotations

import random
from bisect import bisect
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, kstest

from loadtest.generator.arrivals import arrivals
from rehearsal.scenarios.rate_curve import RateCurve

RAMP = RateCurve(((0.0, 0.0), (50.0, 40.0), (80.0, 40.0), (100.0, 10.0)))


def curve_of(steps: list[tuple[float, float]]) -> RateCurve:
    """A curve from durations and rates."""
    ends = list(accumulate((seconds for seconds, _ in steps[:-1]), initial=0.0))
    return RateCurve(tuple(zip(ends, (rate for _, rate in steps), strict=True)))


STEPS = st.tuples(st.floats(0.1, 20.0), st.floats(0.0, 50.0))
CURVES = st.lists(STEPS, min_size=2, max_size=6).map(curve_of)


@given(CURVES, st.integers(0, 1000))
def test_arrivals_are_in_order_and_within_the_curve(curve: RateCurve, seed: int) -> None:
    found = list(arrivals(curve, random.Random(seed)))
    assert all(before <= after for before, after in pairwise(found))
    assert all(0 <= at <= curve.seconds for at in found)
    assert all(curve.rate(at) > 0 for at in found if at < curve.seconds * 0.999)


def test_the_same_seed_gives_the_same_schedule() -> None:
    assert list(arrivals(RAMP, random.Random(3))) == list(arrivals(RAMP, random.Random(3)))
    assert list(arrivals(RAMP, random.Random(3))) != list(arrivals(RAMP, random.Random(4)))


def test_counts_in_windows_have_a_poisson_distribution() -> None:
    # The statistic is a sum of (observed - expected)^2 / expected over 200 runs and 10 windows.
    curve, edges = RAMP.scaled(0.3), list(range(0, 101, 10))
    means = [sum(curve.rate(at + (k + 0.5) / 100) for k in range(1000)) / 100 for at in edges[:-1]]
    statistic = 0.0
    for seed in range(200):
        found = list(arrivals(curve, random.Random(seed)))
        below = [bisect(found, edge) for edge in edges]
        for (low, high), mean in zip(pairwise(below), means, strict=True):
            statistic += (high - low - mean) ** 2 / mean
    assert chi2.ppf(0.001, 2000) < statistic < chi2.ppf(0.999, 2000)


def test_gaps_at_a_constant_rate_are_exponential() -> None:
    found = list(arrivals(RateCurve(((0.0, 20.0), (200.0, 20.0))), random.Random(1)))
    gaps = [after - before for before, after in pairwise(found)]
    assert kstest(gaps, "expon", args=(0, 1 / 20.0)).pvalue > 0.001
