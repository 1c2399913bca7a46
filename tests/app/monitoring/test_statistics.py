"""Rank statistics compared with SciPy, and stratified forms, which must ignore differences between strata."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from app.monitoring.statistics import change_point, hinge_point, shift, slope, spread, step_point, two_sided

VALUES = st.lists(st.integers(-50, 50).map(float), min_size=5, max_size=40)


@settings(deadline=None, max_examples=50)
@given(VALUES)
def test_slope_and_interval_are_those_of_scipy(values: list[float]) -> None:
    times = [float(index) for index in range(len(values))]
    found = slope(times, values)
    if len(set(values)) == 1:
        assert found is None
        return
    assert found is not None
    expected = stats.theilslopes(values, times, alpha=0.95)
    assert found.slope == pytest.approx(expected.slope, abs=1e-12)
    if max(values.count(value) for value in values) == 1:  # scipy's interval leaves ties out
        assert found.low == pytest.approx(expected.low_slope, abs=1e-12)
        assert found.high == pytest.approx(expected.high_slope, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-1000, 1000).map(float), min_size=12, max_size=40, unique=True))
def test_mann_kendall_is_kendalls_tau(values: list[float]) -> None:
    times = [float(index) for index in range(len(values))]
    found = slope(times, values)
    assert found is not None
    size = len(values)
    tau = float(stats.kendalltau(times, values).statistic)
    score = tau * size * (size - 1) / 2
    sigma = math.sqrt(size * (size - 1) * (2 * size + 5) / 18)
    corrected = (abs(score) - 1) / sigma if abs(score) > 0.5 else 0.0
    assert found.p == pytest.approx(2 * stats.norm.sf(corrected), rel=1e-6)


@settings(deadline=None, max_examples=50)
@given(VALUES, VALUES)
def test_shift_is_the_rank_sum_test_of_scipy(before: list[float], after: list[float]) -> None:
    found = shift(before, after)
    if len({*before, *after}) == 1:
        assert found is None
        return
    assert found is not None
    expected = stats.mannwhitneyu(after, before, method="asymptotic", use_continuity=False)
    assert found.p == pytest.approx(float(expected.pvalue), rel=1e-6, abs=1e-12)
    assert found.superiority == pytest.approx(float(expected.statistic) / (len(before) * len(after)))


@given(st.floats(-6, 6))
def test_p_values_are_two_sided(z: float) -> None:
    assert two_sided(z) == pytest.approx(2 * float(stats.norm.sf(abs(z))))


def test_strata_remove_what_the_load_explains() -> None:
    load = [1] * 16 + [2] * 16
    values = [float(10 * demand + index % 2) for index, demand in enumerate(load)]
    times = [float(index) for index in range(32)]
    plain, equal = slope(times, values), slope(times, values, load)
    assert plain is not None
    assert equal is not None
    assert plain.p < 0.01
    assert equal.p > 0.1


def test_the_change_point_is_where_the_mean_changes() -> None:
    assert change_point([1.0] * 30 + [5.0] * 10, 5) == 30
    assert change_point([1.0] * 7 + [5.0] * 33, 5) == 7


def test_the_hinge_is_where_a_flat_line_rises() -> None:
    values = [3.0] * 20 + [3.0 + 0.5 * index for index in range(20)]
    index, _ = hinge_point([float(at) for at in range(40)], values, 5, floor=0.01)
    assert abs(index - 20) <= 1


@pytest.mark.parametrize("ramp", [0, 3, 6])
def test_a_step_begins_before_its_ramp(ramp: int) -> None:
    """The noise is a share of the value, and a few values are outliers."""
    chance = random.Random(ramp)
    values = [
        (1.0 + 4.0 * max(0.0, min(1.0, (index - 29) / (ramp + 1)))) * (1 + chance.gauss(0, 0.1))
        for index in range(60)
    ]
    values[7], values[21], values[44] = 5.0, 4.0, 20.0
    index, between, cost = step_point(values, 5, 6, floor=0.01)
    assert abs(index - 30) <= 1
    assert abs(between - ramp) <= 2
    _, as_slope = hinge_point([float(at) for at in range(60)], values, 5, floor=0.01)
    assert cost < as_slope


def test_a_slope_fits_a_hinge_better_than_a_step() -> None:
    chance = random.Random(1)
    values = [1.0 + 0.1 * max(0, index - 30) + chance.gauss(0, 0.1) for index in range(60)]
    index, cost = hinge_point([float(at) for at in range(60)], values, 5, floor=0.01)
    assert abs(index - 30) <= 3
    assert cost < step_point(values, 5, 6, floor=0.01)[2]


def test_spread_is_that_of_a_normal_distribution() -> None:
    values = [float(stats.norm.ppf((index + 0.5) / 1000, scale=3)) for index in range(1000)]
    assert spread(values) == pytest.approx(3.0, rel=0.01)
