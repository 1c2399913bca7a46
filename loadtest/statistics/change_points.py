"""Change points of a history of measurements: the run with which a new level begins.

Two passes, as in Hunter and its successor Apache Otava (Fleming et al., ICPE 2023): E-Divisive (Matteson and
James, JASA 2014) splits the series at the largest energy distance, into more segments than there are levels;
then the weakest splits are merged until each that remains is significant. Otava uses Student's test of
means; here a split has to pass the gates of `kingdom load compare`, which assume no distribution: the exact
test of Mann and Whitney, a Hodges-Lehmann interval beyond the tolerance, and the probability of superiority.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from loadtest.statistics.rank_tests import (
    exact_mann_whitney_p,
    hodges_lehmann,
    hodges_lehmann_interval,
    min_mann_whitney_p,
    probability_of_superiority,
)
from loadtest.statistics.regression import MIN_SUPERIORITY

MIN_SEGMENT: Final = 4
"""Runs on each side of a change point: a single outlier is not a level."""
MAX_P: Final = 0.005
"""Bound on a split's p-value, multiplied by the number of splits that are possible (Bonferroni)."""


@dataclass(frozen=True)
class ChangePoint:
    """The index at which a level begins, the medians before and after, and the shift with its 95 % interval.

    Shift and interval are shares of the median before, or in the unit of the values if they are absolute.
    """

    index: int
    before: float
    after: float
    shift: float
    interval: tuple[float, float]
    p: float


def change_points(values: Sequence[float], tolerance: float, *, absolute: bool = False) -> list[ChangePoint]:
    """Return the change points of a series in order; shifts within `tolerance` do not count.

    `tolerance` is a share of the median before the change, or, if `absolute`, in the unit of the values.
    """
    known: dict[tuple[int, int, int], tuple[ChangePoint, bool]] = {}

    def evaluated(edges: Sequence[int]) -> list[tuple[ChangePoint, bool]]:
        bounds = list(zip([0, *edges], edges, [*edges[1:], len(values)], strict=False))
        for each in bounds:
            if each not in known:
                known[each] = _split(values, *each, tolerance, absolute=absolute)
        return [known[each] for each in bounds]

    edges = _merged(_relocated(values, _segmented(values, 0, len(values))), evaluated, tolerance)
    while edges:
        moved = _relocated(values, edges)
        merged = _merged(moved, evaluated, tolerance)
        if merged == edges:
            break
        edges = merged
    return [point for point, _ in evaluated(edges)]


def _merged(
    edges: Sequence[int],
    evaluated: Callable[[Sequence[int]], list[tuple[ChangePoint, bool]]],
    tolerance: float,
) -> list[int]:
    """Remove the weakest split until every one that remains passes its gates."""
    found = list(edges)
    while found:
        # The neighbors of a removed split gain values, and with them evidence.
        # Shifts within the tolerance go first: a trend within a level may have a small p-value.
        weakest, passed = max(
            evaluated(found),
            key=lambda split: (not split[1], abs(split[0].shift) < tolerance, split[0].p),
        )
        if passed:
            break
        found.remove(weakest.index)
    return found


def runs_needed(before: int) -> int:
    """Return how many runs a change must have at least to be found, given the number of runs before it."""
    count = MIN_SEGMENT
    while min_mann_whitney_p(before, count) * _splits(before + count) >= MAX_P:
        count += 1
        if count > 10 * MIN_SEGMENT:
            break
    return count


def min_runs() -> int:
    """Return how many runs a series needs for a change point to be possible at all."""
    total = 2 * MIN_SEGMENT
    while min_mann_whitney_p(total // 2, total - total // 2) * _splits(total) >= MAX_P:
        total += 1
    return total


def _splits(count: int) -> int:
    return max(1, count - 2 * MIN_SEGMENT + 1)


def _segmented(values: Sequence[float], start: int, end: int) -> list[int]:
    """Split a range at the largest energy distance, and both sides again, down to the smallest segments."""
    if end - start < 2 * MIN_SEGMENT:
        return []
    split = _best_split(values, start, end)
    return [*_segmented(values, start, split), split, *_segmented(values, split, end)]


def _relocated(values: Sequence[float], edges: Sequence[int]) -> list[int]:
    """Move every split to the largest energy distance between its neighbors."""
    found = list(edges)
    for number in range(len(found)):
        start = found[number - 1] if number else 0
        end = found[number + 1] if number + 1 < len(found) else len(values)
        found[number] = _best_split(values, start, end)
    return found


def _best_split(values: Sequence[float], start: int, end: int) -> int:
    """Return the split of a range with the largest energy distance between both sides, scaled by their sizes.

    (m n / (m + n)) (2 E|X - Y| - E|X - X'| - E|Y - Y'|), formula 5 of Matteson and James with alpha = 1.
    """
    part = values[start:end]
    left = [math.fsum(abs(value - other) for other in part[:at]) for at, value in enumerate(part)]
    right = [math.fsum(abs(value - other) for other in part[at + 1 :]) for at, value in enumerate(part)]
    total, within_left, within_right = math.fsum(left), 0.0, math.fsum(right)
    best, found = -math.inf, start + MIN_SEGMENT
    for at in range(1, len(part)):
        within_left += left[at - 1]
        within_right -= right[at - 1]
        n, m = at, len(part) - at
        if min(n, m) < MIN_SEGMENT:
            continue
        between = total - within_left - within_right
        distance = (
            2 * between / (n * m) - 2 * within_left / (n * (n - 1)) - 2 * within_right / (m * (m - 1))
        ) * (n * m / (n + m))
        if distance > best:
            best, found = distance, start + at
    return found


def _split(
    values: Sequence[float], start: int, at: int, end: int, tolerance: float, *, absolute: bool
) -> tuple[ChangePoint, bool]:
    """Return the split at `at` between two adjacent segments, and whether it passes all gates."""
    before, after = values[start:at], values[at:end]
    middle = median(before)
    unit = 1.0 if absolute else abs(middle)
    p = min(1.0, exact_mann_whitney_p(before, after) * _splits(len(values)))
    if unit == 0:
        return ChangePoint(at, middle, median(after), 0.0, (0.0, 0.0), p), False
    low, high = (each / unit for each in hodges_lehmann_interval(before, after))
    superiority = probability_of_superiority(before, after)
    passed = p < MAX_P and (
        (low > tolerance and superiority >= MIN_SUPERIORITY)
        or (high < -tolerance and superiority <= 1 - MIN_SUPERIORITY)
    )
    shift = hodges_lehmann(before, after) / unit
    return ChangePoint(at, middle, median(after), shift, (low, high), p), passed
