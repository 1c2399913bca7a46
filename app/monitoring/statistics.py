"""Rank statistics for trends and shifts: robust against outliers, without assumed distributions.

All are stratified: values are compared within a stratum only. With strata of equal load, a daily pattern of
the load is not a trend of the response time (seasonal Kendall test, Hirsch and Slack 1984; van Elteren 1960).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, median
from typing import Final

_NORMAL: Final = NormalDist()
_MAX_DEVIATION: Final = 4.0  # in scales of deviations: larger deviations have no additional cost


@dataclass(frozen=True)
class Slope:
    """Theil-Sen slope per unit of time with its confidence interval, and the p-value of Mann-Kendall."""

    slope: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Shift:
    """The Hodges-Lehmann shift, the p-value of the rank-sum test, and the probability of superiority.

    `superiority` is the probability that a value after the shift exceeds one before it at equal load; 0.5: no
    shift.
    """

    shift: float
    p: float
    superiority: float


def slope(
    times: Sequence[float],
    values: Sequence[float],
    strata: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> Slope | None:
    """Return the trend of values over time; None if no two of them are comparable.

    The interval is that of Sen (1968) as in scipy.stats.theilslopes; p is two-sided, with the correction for
    ties and for continuity.
    """
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index in range(len(values)):
        groups[None if strata is None else strata[index]].append(index)
    slopes: list[float] = []
    score, variance = 0, 0.0
    for members in groups.values():
        for position, one in enumerate(members):
            for two in members[position + 1 :]:
                if times[two] == times[one]:
                    continue
                slopes.append((values[two] - values[one]) / (times[two] - times[one]))
                score += (values[two] > values[one]) - (values[two] < values[one])
        variance += _kendall_variance([values[index] for index in members])
    if not slopes or variance <= 0:
        return None
    slopes.sort()
    sigma = math.sqrt(variance)
    z = (score - math.copysign(1, score)) / sigma if score else 0.0
    margin = _NORMAL.inv_cdf(0.5 + confidence / 2) * sigma
    low = max(round((len(slopes) - margin) / 2) - 1, 0)
    high = min(round((len(slopes) + margin) / 2), len(slopes) - 1)
    return Slope(median(slopes), slopes[low], slopes[high], two_sided(z))


def shift(
    before: Sequence[float],
    after: Sequence[float],
    strata_before: Sequence[Hashable] | None = None,
    strata_after: Sequence[Hashable] | None = None,
) -> Shift | None:
    """Return the difference between `after` and `before`; None if no values are comparable."""
    groups: dict[Hashable, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for index, value in enumerate(before):
        groups[None if strata_before is None else strata_before[index]][0].append(value)
    for index, value in enumerate(after):
        groups[None if strata_after is None else strata_after[index]][1].append(value)
    differences: list[float] = []
    above = 0.0
    statistic, variance = 0.0, 0.0
    for first, second in groups.values():
        if not first or not second:
            continue
        pairs = [two - one for one in first for two in second]
        differences += pairs
        wins = sum((pair > 0) + 0.5 * (pair == 0) for pair in pairs)
        above += wins
        # The weights of van Elteren: 1 / (size of the stratum + 1).
        total = len(first) + len(second)
        weight = 1 / (total + 1)
        statistic += weight * (wins - len(pairs) / 2)
        variance += weight**2 * len(pairs) * (total + 1 - _ties([*first, *second], total)) / 12
    if not differences or variance <= 0:
        return None
    return Shift(median(differences), two_sided(statistic / math.sqrt(variance)), above / len(differences))


def change_point(values: Sequence[float], min_segment: int) -> int:
    """Return the first index after the strongest change of the mean (CUSUM, Page 1954).

    The cumulative sum is divided by its standard deviation under no change, so that changes near the ends are
    found as well as those in the middle.
    """
    mean = math.fsum(values) / len(values)
    best, found, total = -1.0, min_segment, 0.0
    for index, value in enumerate(values[:-1]):
        total += value - mean
        count = index + 1
        if not min_segment <= count <= len(values) - min_segment:
            continue
        size = abs(total) / math.sqrt(count * (len(values) - count))
        if size > best:
            best, found = size, count
    return found


def step_point(values: Sequence[float], min_segment: int, ramp: int, floor: float) -> tuple[int, int, float]:
    """Find the step of a line to another level: its index, the values in between, and the cost of the fit.

    A step that is measured as a rate over several values appears as a ramp of up to `ramp` values between
    both levels; a ramp costs one parameter. `floor` is the smallest scale of deviations.
    """
    best, found, width = math.inf, min_segment, 0
    for index in range(min_segment, len(values) - min_segment + 1):
        low = median(values[:index])
        before = _cost([abs(value - low) for value in values[:index]], floor)
        for between in range(min(ramp, len(values) - min_segment - index) + 1):
            rise = median(values[index + between :]) - low
            cost = before + _cost(
                [
                    abs(value - low - rise * min(1.0, position / (between + 1)))
                    for position, value in enumerate(values[index:], 1)
                ],
                floor,
            )
            if cost + (between > 0) < best:
                best, found, width = cost + (between > 0), index, between
    return found, width, best


def hinge_point(
    times: Sequence[float], values: Sequence[float], min_segment: int, floor: float
) -> tuple[int, float]:
    """Find where a constant line starts to rise: the index, and the cost of the fit as in `step_point`."""
    best, found = math.inf, min_segment
    for index in range(len(values) - min_segment + 1):
        base = median(values[: max(index, 3)])
        rate = median(
            [
                (value - base) / (at - times[index])
                for at, value in zip(times[index + 1 :], values[index + 1 :], strict=True)
            ]
        )
        deviations = [
            abs(value - base - max(0.0, at - times[index]) * rate)
            for at, value in zip(times, values, strict=True)
        ]
        # With few values, their own scale would be random, so the common one is used.
        split = index + 1 if index >= min_segment else 0
        cost = _cost(deviations[:split], floor) + _cost(deviations[split:], floor)
        if cost < best:
            best, found = cost, index
    return found, best


def _cost(deviations: Sequence[float], floor: float) -> float:
    """Return the negative log-likelihood of deviations from a fit, without its constant.

    They have a Laplace distribution of the scale that follows from their median, and the tails are cut, so
    that neither an outlier nor the larger noise of a larger value moves a change point.
    """
    if not deviations:
        return 0.0
    scale = max(median(deviations) / math.log(2), floor)
    return len(deviations) * math.log(scale) + math.fsum(
        min(deviation / scale, _MAX_DEVIATION) for deviation in deviations
    )


def spread(values: Sequence[float]) -> float:
    """Return a robust standard deviation: the median absolute deviation, scaled to a normal distribution."""
    middle = median(values)
    return 1.4826 * median([abs(value - middle) for value in values])


def two_sided(z: float) -> float:
    """Return the two-sided p-value of a standard normal statistic."""
    return math.erfc(abs(z) / math.sqrt(2))


def _kendall_variance(values: Sequence[float]) -> float:
    size = len(values)
    ties = sum(count * (count - 1) * (2 * count + 5) for count in Counter(values).values() if count > 1)
    return (size * (size - 1) * (2 * size + 5) - ties) / 18


def _ties(values: Sequence[float], total: int) -> float:
    if total < 2:
        return 0.0
    return sum(count**3 - count for count in Counter(values).values()) / (total * (total - 1))
