"""Change points of histories: false alarms, power, location, and agreement with Apache Otava."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.statistics.change_points import MIN_SEGMENT, change_points, min_runs, runs_needed

TOLERANCE = 0.05
OTAVA = Path(__file__).with_name("otava_change_points.json")


def history(rng: random.Random, levels: list[tuple[int, float]], noise: float) -> list[float]:
    """Runs at levels around 100 ms, log-normal."""
    return [0.1 * level * rng.lognormvariate(0, noise) for count, level in levels for _ in range(count)]


def indexes(values: list[float]) -> list[int]:
    return [point.index for point in change_points(values, TOLERANCE)]


@pytest.mark.parametrize("noise", [0.03, 0.1, 0.3])
@pytest.mark.parametrize("count", [14, 40])
def test_noise_alone_raises_a_false_alarm_in_less_than_one_of_a_hundred_histories(
    noise: float, count: int
) -> None:
    found = [indexes(history(random.Random(seed), [(count, 1.0)], noise)) for seed in range(200)]
    assert sum(map(bool, found)) <= 1


@pytest.mark.parametrize(("before", "after"), [(20, 6), (20, 20), (10, 10)])
def test_a_slow_down_of_ten_percent_is_found_at_its_run(before: int, after: int) -> None:
    found = [
        indexes(history(random.Random(seed), [(before, 1.0), (after, 1.1)], 0.02)) for seed in range(100)
    ]
    assert sum(before in each for each in found) >= 85
    assert sum(any(abs(index - before) <= 1 for index in each) for each in found) >= 95
    assert not any(abs(index - before) > 2 for each in found for index in each)


def test_shift_and_interval_of_a_change() -> None:
    (point,) = change_points(history(random.Random(1), [(15, 1.0), (15, 1.3)], 0.02), TOLERANCE)
    assert point.index == 15
    assert point.before == pytest.approx(0.1, rel=0.02)
    assert point.after == pytest.approx(0.13, rel=0.02)
    assert point.interval[0] < 0.3 < point.interval[1]
    assert point.interval[0] < point.shift < point.interval[1]
    assert point.p < 0.005


def test_a_level_that_returns_has_two_change_points() -> None:
    # The first split of the whole series is not significant by itself.
    found = change_points(history(random.Random(2), [(20, 1.0), (10, 1.2), (20, 1.0)], 0.02), TOLERANCE)
    assert [point.index for point in found] == [20, 30]
    assert found[0].shift > 0 > found[1].shift


def test_single_outliers_are_not_a_level() -> None:
    values = history(random.Random(3), [(40, 1.0)], 0.03)
    for at in (7, 20, 21, 39):
        values[at] = 1.0
    assert indexes(values) == []


def test_a_change_within_the_tolerance_is_not_found() -> None:
    assert indexes(history(random.Random(4), [(30, 1.0), (30, 1.03)], 0.005)) == []


def test_absolute_tolerance_is_in_the_unit_of_the_values() -> None:
    values = [0.0] * 15 + [0.02] * 15
    (point,) = change_points(values, 0.005, absolute=True)
    assert (point.index, point.shift) == (15, 0.02)
    assert change_points(values, 0.03, absolute=True) == []
    # A share of zero is not defined.
    assert change_points(values, 0.005) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1e-4, 10.0), max_size=30))
def test_change_points_are_in_order_and_a_segment_apart(values: list[float]) -> None:
    edges = [0, *indexes(values), len(values)]
    if len(edges) > 2:
        assert all(after - before >= MIN_SEGMENT for before, after in pairwise(edges))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100.0))
def test_the_unit_of_the_values_does_not_matter(seed: int, factor: float) -> None:
    values = history(random.Random(seed), [(10, 1.0), (10, 1.5)], 0.05)
    assert indexes([value * factor for value in values]) == indexes(values) == [10]


@pytest.mark.parametrize("before", [5, 7, 10, 20, 100])
def test_runs_needed_are_those_after_which_a_clear_change_is_found(before: int) -> None:
    def values(after: int) -> list[float]:
        return [0.1 + 0.0001 * number for number in range(before)] + [
            0.2 + 0.0001 * number for number in range(after)
        ]

    needed = runs_needed(before)
    assert indexes(values(needed)) == [before]
    assert before not in indexes(values(needed - 1))


def test_fewer_runs_than_the_minimum_have_no_change_point() -> None:
    clear = [0.1 + 0.001 * number for number in range(7)] + [9.0 + 0.001 * number for number in range(7)]
    assert min_runs() == 14
    assert indexes(clear) == [7]
    assert indexes(clear[1:]) == []


def test_change_points_agree_with_apache_otava() -> None:
    # Recorded with Apache Otava 0.8.0: compute_change_points(values, max_pvalue=0.001, min_magnitude=0.05).
    cases = json.loads(OTAVA.read_text())["cases"]
    assert len(cases) == 60
    ours = [indexes(each["values"]) for each in cases]
    clear = [(own, each["otava"]) for own, each in zip(ours, cases, strict=True) if each["noise"] <= 0.02]
    assert len(clear) == 30
    # With little noise both find the same runs; more noise leaves both without some of the changes.
    assert sum(own == theirs for own, theirs in clear) >= 27
    alarms = [
        (bool(own), bool(each["otava"]))
        for own, each in zip(ours, cases, strict=True) if len(each["levels"]) == 1
    ]  # fmt: skip
    assert sum(own for own, _ in alarms) <= sum(theirs for _, theirs in alarms)
