"""Planted changes are found where they began; healthy days with a daily pattern of the load are not."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from app.monitoring.source import TimeSeries
from app.monitoring.trends import Change, buckets, detect, ramp_of

STEP = 300.0
Plant = Callable[[float, float], float]


def day(
    seed: int, plant: Plant = lambda at, value: value, *, flat: bool = False, start: float = 0.0
) -> tuple[list[float], list[float | None], list[float | None]]:
    """Ten hours in buckets of five minutes: times, response times, and a load with a daily pattern."""
    chance = random.Random(seed)
    times = [STEP * index for index in range(120)]
    values: list[float | None] = []
    load: list[float | None] = []
    noise = wander = 0.0
    for at in times:
        wander = 0.7 * wander + chance.gauss(0, 0.03)
        noise = 0.5 * noise + chance.gauss(0, 0.05)
        pattern = 0.0 if flat else 0.6 * math.sin(2 * math.pi * (at / 86_400 + start))
        demand = 100 * (1 + pattern) * (1 + wander)
        load.append(demand)
        values.append(plant(at, 0.05 * (1 + (demand / 200) ** 2) * (1 + noise)))
    return times, values, load


def test_healthy_days_have_up_to_one_finding_in_a_thousand_lines() -> None:
    found = [seed for seed in range(1000) if detect(*day(seed, start=seed / 20))]
    assert len(found) <= 1, found


def test_without_the_load_the_daily_pattern_would_be_found() -> None:
    times, values, _ = day(0, start=0.8)
    assert detect(times, values) is not None


def test_a_slow_leak_is_a_trend_from_its_onset() -> None:
    def leak(at: float, value: float) -> float:
        return 100e6 + max(0.0, at - 12_000) * 1e6 / 60 + value * 1e6

    times, values, _ = day(3, leak, flat=True)
    change = detect(times, values)
    assert change is not None
    assert change.kind == "trend"
    assert abs(change.onset - 12_000) <= 2 * STEP
    assert change.slope == pytest.approx(1e6 / 60, rel=0.02)
    hours = change.hours_to(1e9)
    assert hours is not None
    expected = (1e9 - change.after) / (1e6 / 60) / 3600
    assert hours[0] <= expected <= hours[1] <= hours[0] * 1.1


@pytest.mark.parametrize("seed", range(5))
def test_a_deployment_that_adds_thirty_milliseconds_is_a_shift_at_its_time(seed: int) -> None:
    times, values, load = day(seed, lambda at, value: value + (0.03 if at >= 24_000 else 0.0), flat=True)
    change = detect(times, values, load)
    assert change is not None
    assert change.kind == "shift"
    assert abs(change.onset - 24_000) <= STEP
    assert change.after - change.before == pytest.approx(0.03, rel=0.35)


def first_change(seed: int, load_after: float = 1.0, base: int = 27) -> tuple[int, Change]:
    """Find a rise to four times the value over five buckets, the form in which a rate shows a step.

    Return the first change, and the bucket after the step in which it is found.
    """
    chance = random.Random(seed)
    values: list[float | None] = []
    load: list[float | None] = []
    for index in range(base + 36):
        changed = max(0.0, min(1.0, (index - base + 1) / 5))
        values.append(10 * (1 + chance.gauss(0, 0.1)) * (1 + 3 * changed))
        load.append(8 * (1 + chance.uniform(-0.1, 0.1)) * (load_after if index >= base else 1.0))
    for count in range(base, base + 36):
        change = detect([60.0 * index for index in range(count)], values[:count], load[:count])
        if change is not None:
            return count - base, change
    raise AssertionError("not found within 36 buckets")


def test_a_step_is_a_shift_at_its_onset_and_no_trend_before() -> None:
    """With fewer than ten buckets after a step, a slope may still fit the data better."""
    found = [first_change(seed) for seed in range(40)]
    assert sum(change.kind == "trend" for _, change in found) <= 4
    assert all(abs(change.onset - 27 * 60) <= 3 * 60 for _, change in found)
    assert max(delay for delay, _ in found) <= 16


@pytest.mark.parametrize(
    ("bucket", "min_bucket", "ramp"), [(60.0, 60.0, 6), (300.0, 60.0, 2), (5.0, 5.0, 6), (25.0, 5.0, 2)]
)
def test_a_ramp_is_the_window_of_a_rate_and_one_bucket(bucket: float, min_bucket: float, ramp: int) -> None:
    """300 s in buckets of 60 s and 300 s, and 25 s at a time scale that is compressed to a twelfth."""
    assert ramp_of(bucket, min_bucket) == ramp


def test_the_onset_of_a_step_is_right_with_noise_and_outliers() -> None:
    """A value that becomes 2.5 times as large, with correlated noise of 15 % and 5 % of outliers."""
    errors: list[float] = []
    for seed in range(40):
        chance = random.Random(seed)
        noise = 0.0
        values: list[float | None] = []
        for index in range(60):
            noise = 0.5 * noise + chance.gauss(0, 0.15)
            level = 10 * (1 + 1.5 * max(0.0, min(1.0, (index - 29) / 5)))
            values.append(level * math.exp(noise) * (3 if chance.random() < 0.05 else 1))
        change = detect([60.0 * index for index in range(60)], values)
        if change is not None:
            errors.append(abs(change.onset - 30 * 60) / 60)
    assert len(errors) >= 36
    assert sum(error > 3 for error in errors) <= 3


def test_a_falling_value_is_a_trend_from_its_onset_and_no_shift_before() -> None:
    """Hits of a cache as recorded while more and more reads were of items that it does not have."""
    falling = [97.0, 91.0, 85.3, 75.8, 65.7, 58.3, 50.9, 39.3, 34.9, 24.4, 17.1, 13.7, 7.84, 1.25]
    values: list[float | None] = [*[100.0] * 44, *falling]
    changes = [
        detect([5.0 * index for index in range(count)], values[:count], worse="below")
        for count in range(44, len(values) + 1)
    ]
    found = [change for change in changes if change is not None]
    assert len(found) >= 8
    assert {change.kind for change in found} == {"trend"}
    assert all(abs(change.onset - 44 * 5.0) <= 10 for change in found)
    assert all(change.after >= 1.25 for change in found)


@pytest.mark.parametrize("seed", range(6))
def test_a_shift_is_found_when_the_load_fell_by_a_tenth_with_it(seed: int) -> None:
    """A degradation slows clients down that wait for responses."""
    delay, _ = first_change(seed, load_after=0.9)
    assert delay <= 24


@pytest.mark.parametrize(("settle", "share"), [(3.0, 0.9), (6.0, 0.9), (12.0, 0.5), (20.0, 0.35)])
def test_memory_that_rises_and_levels_off_is_not_a_trend_of_a_process(settle: float, share: float) -> None:
    """60 minutes after a start, of which the first 15 are left out; `share` rises with a time constant."""
    chance = random.Random(settle)
    times = [60.0 * minute for minute in range(60)]
    values: list[float | None] = [
        None
        if minute < 15
        else 130e6 * (1 - share * math.exp(-minute / settle)) * (1 + chance.gauss(0, 0.002))
        for minute in range(60)
    ]
    found = [detect(times[:count], values[:count], settles=True) for count in range(35, 61)]
    assert [change for change in found if change is not None] == []


def test_a_rise_that_levels_off_is_found_without_the_age_of_a_process() -> None:
    times = [60.0 * minute for minute in range(60)]
    values: list[float | None] = [0.05 * (2 - math.exp(-max(0, minute - 20) / 15)) for minute in range(60)]
    assert detect(times, values) is not None


@pytest.mark.parametrize("seed", range(6))
def test_a_persistent_leak_of_a_process_is_found(seed: int) -> None:
    """1 MiB in a minute, from the 20th minute on, with the noise of requests."""
    chance = random.Random(seed)
    values: list[float | None] = [110.0 + max(0, minute - 20) + chance.gauss(0, 0.7) for minute in range(80)]
    counts = range(21, 81)
    found = [detect([60.0 * at for at in range(count)], values[:count], settles=True) for count in counts]
    first = next(index for index, change in enumerate(found) if change is not None)
    assert counts[first] - 20 <= 30
    # From the third window after that on, it is found in every window.
    assert all(change is not None and change.kind == "trend" for change in found[first + 3 :])


def test_a_small_change_is_not_a_degradation() -> None:
    times = [60.0 * minute for minute in range(60)]
    values: list[float | None] = [
        0.3 + minute % 3 / 50 + (0.3 if minute >= 30 else 0) for minute in range(60)
    ]
    assert detect(times, values, min_change=0.2) is not None
    assert detect(times, values, min_change=5.0) is None
    falling = [None if value is None else -value for value in values]
    assert detect(times, falling, worse="below", min_change=0.2) is not None
    assert detect(times, falling, worse="below", min_change=5.0) is None


def test_a_rate_over_five_buckets_has_few_false_findings() -> None:
    """Neighboring values have four fifths of their samples in common."""
    found = 0
    for seed in range(400):
        chance = random.Random(seed)
        samples = [chance.gauss(10, 4) for _ in range(64)]
        values: list[float | None] = [sum(samples[at : at + 5]) / 5 for at in range(60)]
        found += detect([60.0 * at for at in range(60)], values) is not None
    assert found <= 2


def test_a_falling_hit_rate_is_worse_below() -> None:
    times, values, _ = day(1, lambda at, value: 90 - max(0.0, at - 15_000) / 500 + 10 * value, flat=True)
    change = detect(times, values, worse="below")
    assert change is not None
    assert change.after < change.before
    assert change.slope < 0
    assert change.slope_low <= change.slope <= change.slope_high
    assert detect(times, values, worse="above") is None


def test_recovered_value_is_not_a_finding() -> None:
    times, values, load = day(2, lambda at, value: value * (3 if 9000 < at < 20_000 else 1), flat=True)
    assert detect(times, values, load) is None


def test_one_outlier_is_not_a_finding() -> None:
    times, values, load = day(4, lambda at, value: value * (50 if at == 15_000 else 1), flat=True)
    assert detect(times, values, load) is None


def test_gaps_and_short_histories_have_no_findings() -> None:
    times, values, load = day(5, flat=True)
    assert detect(times[:10], values[:10], load[:10]) is None
    assert detect(times, [None] * 120, load) is None
    holes = [value if index % 3 else None for index, value in enumerate(values)]
    assert detect(times, holes, load) is None


def test_hours_are_unbounded_when_the_slope_may_be_flat() -> None:
    change = Change("trend", 0.0, 1.0, 2.0, 0.0, slope=1.0, slope_low=-1.0, slope_high=2.0)
    assert change.hours_to(9200.0) == (pytest.approx(9198 / 2 / 3600), math.inf)
    assert Change("shift", 0.0, 1.0, 2.0, 0.0).hours_to(3.0) is None


def test_buckets_are_medians_and_none_without_a_value() -> None:
    series = TimeSeries({}, [0.0, 10.0, 50.0, 190.0], [1.0, 3.0, 2.0, 7.0])
    assert buckets(series, 0.0, 60.0, 4) == [2.0, None, None, 7.0]


# Milliseconds; the query of a collection that grows after the 36th value, recorded from a platform.
_PERCENTILES = (
    "7 10 9 9 18 23 22 22 22 10 10 9 13 15 18 18 24 24 24 22 21 9 22 22 24 24 83 83 83 83 83 21 22 45 47 76"
    " 425 844 911 998 1475 1475 1000 1575 1038 1550 1945 1960 1844 1806 1575 981 950 938 960 962 965 981 1550"
    " 1575 1575 1825 1862 1806 1525 1450 993 902 889 864 882 839"
)


@pytest.mark.parametrize("count", range(45, 73))
def test_a_step_with_plateaus_of_percentiles_is_not_lost(count: int) -> None:
    """Percentiles from a histogram are almost constant within a bucket, and their noise grows with them."""
    values = [float(value) for value in _PERCENTILES.split()][:count]
    change = detect([60.0 * minute for minute in range(count)], values)
    assert change is not None
    assert abs(change.onset - 36 * 60) <= 3 * 60


@pytest.mark.parametrize("seed", range(12))
def test_a_rise_whose_noise_grows_with_the_level_is_found(seed: int) -> None:
    """Values differ by up to twice the rise after it; their ratios to the new level do not grow."""
    chance = random.Random(seed)
    values: list[float | None] = [20 * chance.lognormvariate(0, 0.05) for _ in range(20)]
    values += [130 * chance.lognormvariate(0, 0.5) for _ in range(40)]
    change = detect([60.0 * minute for minute in range(60)], values)
    assert change is not None
    assert abs(change.onset - 20 * 60) <= 3 * 60
