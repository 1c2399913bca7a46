"""Rank statistics against SciPy."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from loadtest.statistics.rank_tests import (
    exact_mann_whitney_p,
    hodges_lehmann,
    hodges_lehmann_interval,
    mann_whitney_p,
    mann_whitney_u,
    min_mann_whitney_p,
    probability_of_superiority,
    ranks,
)

# Few different values, so that ties occur.
SAMPLES = st.lists(st.integers(0, 30).map(float), min_size=2, max_size=40)


@given(SAMPLES)
def test_ranks_are_those_of_scipy(values: list[float]) -> None:
    assert ranks(values) == pytest.approx(list(stats.rankdata(values)))


@given(SAMPLES, SAMPLES)
def test_mann_whitney_is_that_of_scipy(left: list[float], right: list[float]) -> None:
    reference = stats.mannwhitneyu(left, right, method="asymptotic")
    assert mann_whitney_u(left, right) == pytest.approx(reference.statistic)
    if len({*left, *right}) > 1:
        assert mann_whitney_p(left, right) == pytest.approx(min(1.0, reference.pvalue), abs=1e-9)
    else:
        assert mann_whitney_p(left, right) == 1.0


@given(SAMPLES, SAMPLES)
def test_superiority_counts_pairs(left: list[float], right: list[float]) -> None:
    pairs = [(b > a) + (b == a) / 2 for a in left for b in right]
    assert probability_of_superiority(left, right) == pytest.approx(sum(pairs) / len(pairs))


@given(SAMPLES, SAMPLES, st.integers(-20, 20))
def test_a_shift_is_found_and_lies_in_its_interval(left: list[float], right: list[float], by: int) -> None:
    shifted = [each + by for each in right]
    assert hodges_lehmann(left, shifted) == pytest.approx(hodges_lehmann(left, right) + by)
    low, high = hodges_lehmann_interval(left, shifted)
    assert low <= hodges_lehmann(left, shifted) <= high
    assert hodges_lehmann(shifted, left) == pytest.approx(-hodges_lehmann(left, shifted))


def test_the_interval_covers_the_true_shift_at_its_confidence() -> None:
    rng, covered = random.Random(4), 0
    for _ in range(400):
        left = [rng.lognormvariate(0, 0.3) for _ in range(20)]
        right = [rng.lognormvariate(0, 0.3) + 0.2 for _ in range(20)]
        low, high = hodges_lehmann_interval(left, right)
        covered += low <= 0.2 <= high
    assert 0.92 <= covered / 400 <= 0.985


@pytest.mark.parametrize(("n", "m"), [(3, 3), (4, 20), (7, 7), (20, 60), (15, 3)])
def test_exact_mann_whitney_is_that_of_scipy(n: int, m: int) -> None:
    rng = random.Random(n * m)
    for shift in (0.0, 0.3, 2.0):
        left, right = [rng.random() for _ in range(n)], [rng.random() + shift for _ in range(m)]
        reference = stats.mannwhitneyu(left, right, method="exact").pvalue
        assert exact_mann_whitney_p(left, right) == pytest.approx(reference)
    assert exact_mann_whitney_p([*range(n)], [*range(n, n + m)]) == pytest.approx(min_mann_whitney_p(n, m))


def test_exact_mann_whitney_with_ties_or_many_values_is_the_approximation() -> None:
    tied = [1.0, 1.0, 2.0, 3.0], [2.0, 4.0, 5.0, 6.0]
    assert exact_mann_whitney_p(*tied) == mann_whitney_p(*tied)
    many = [float(each) for each in range(30)], [float(each) + 5.5 for each in range(30)]
    assert exact_mann_whitney_p(*many) == mann_whitney_p(*many)
