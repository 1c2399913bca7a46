"""Functions against values worked out by hand from Prometheus' rules."""

from __future__ import annotations

import math

import pytest

from rehearsal.monitoring.promql.functions import histogram_quantile, increase, rate


def test_increase_extrapolates_to_the_ends_of_the_range() -> None:
    times, values = [10.0, 20.0, 30.0, 40.0, 50.0], [100.0, 110.0, 120.0, 130.0, 140.0]
    assert increase(times, values, 0.0, 60.0) == pytest.approx(60.0)
    assert rate(times, values, 0.0, 60.0) == pytest.approx(1.0)


def test_increase_does_not_reach_far_beyond_the_samples() -> None:
    # The series began 35 s into the range: half an interval is added at the start.
    assert increase([40.0, 50.0], [100.0, 110.0], 0.0, 60.0) == pytest.approx(10 * (10 + 5 + 10) / 10)


def test_increase_stops_at_zero() -> None:
    assert increase([8.0, 18.0], [2.0, 12.0], 0.0, 20.0) == pytest.approx(10 * (10 + 2 + 2) / 10)


def test_after_a_counter_reset_the_new_value_is_the_increase() -> None:
    assert increase([0.5, 10.0, 20.0], [90.0, 100.0, 5.0], 0.0, 20.0) == pytest.approx(
        15.0 * (19.5 + 0.5) / 19.5
    )


def test_one_sample_has_no_rate() -> None:
    assert rate([1.0], [1.0], 0.0, 60.0) is None


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 1.0), (0.75, 1.5), (0.25, 0.5), (1.0, 2.0), (-1, -math.inf), (2, math.inf)]
)
def test_quantiles_are_interpolated(share: float, expected: float) -> None:
    buckets = [(1.0, 10.0), (2.0, 20.0), (math.inf, 20.0)]
    assert histogram_quantile(share, buckets) == pytest.approx(expected)


def test_a_quantile_in_the_last_bucket_is_its_lower_bound() -> None:
    assert histogram_quantile(0.9, [(1.0, 1.0), (math.inf, 100.0)]) == 1.0


@pytest.mark.parametrize(
    "buckets", [[], [(1.0, 5.0)], [(1.0, 5.0), (2.0, 6.0)], [(1.0, 0.0), (math.inf, 0.0)]]
)
def test_histograms_without_a_quantile(buckets: list[tuple[float, float]]) -> None:
    assert math.isnan(histogram_quantile(0.5, buckets))


def test_counts_that_decrease_are_raised() -> None:
    assert histogram_quantile(0.5, [(1.0, 10.0), (2.0, 9.0), (math.inf, 20.0)]) == pytest.approx(1.0)
