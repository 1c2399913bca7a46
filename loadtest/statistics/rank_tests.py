"""Rank statistics of two samples: Mann-Whitney, Hodges-Lehmann, probability of superiority.

They assume no distribution. The p-value uses the normal approximation with tie and continuity correction, as
SciPy's `mannwhitneyu(method="asymptotic")`; the interval is the one that inverts the same test (Hollander and
Wolfe, Nonparametric Statistical Methods, 4.3).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist, median
from typing import Final

_NORMAL: Final = NormalDist()
_MAX_EXACT: Final = 20


def ranks(values: Sequence[float]) -> list[float]:
    """Return ranks from 1; equal values share the mean of their ranks."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    found = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for index in order[start : end + 1]:
            found[index] = (start + end) / 2 + 1
        start = end + 1
    return found


def mann_whitney_u(left: Sequence[float], right: Sequence[float]) -> float:
    """Return the statistic U of `left`: pairs in which its value is larger, ties as half."""
    both = ranks([*left, *right])
    return sum(both[: len(left)]) - len(left) * (len(left) + 1) / 2


def mann_whitney_p(left: Sequence[float], right: Sequence[float]) -> float:
    """Return the two-sided p-value of the hypothesis that both come from one distribution."""
    n, m = len(left), len(right)
    u = mann_whitney_u(left, right)
    deviation = _deviation(left, right)
    if deviation == 0:
        return 1.0
    z = (max(u, n * m - u) - n * m / 2 - 0.5) / deviation
    return min(1.0, 2 * (1 - _NORMAL.cdf(z)))


def exact_mann_whitney_p(left: Sequence[float], right: Sequence[float]) -> float:
    """Two-sided p-value from the exact distribution of U, which small samples need.

    With ties, or with more than 20 values on both sides, the normal approximation.
    """
    n, m = sorted((len(left), len(right)))
    if n > _MAX_EXACT or len({*left, *right}) < n + m:
        return mann_whitney_p(left, right)
    u = mann_whitney_u(left, right)
    below = sum(_arrangements(n, m)[: int(min(u, n * m - u)) + 1])
    return min(1.0, 2 * below / math.comb(n + m, n))


def min_mann_whitney_p(n: int, m: int) -> float:
    """Return the smallest two-sided p-value that samples of these sizes can have: no values overlap."""
    return 2 / math.comb(n + m, n)


@cache
def _arrangements(n: int, m: int) -> list[int]:
    """Return the number of orders of both samples for every U: coefficients of the Gaussian binomial."""
    counts = [1] + [0] * (n * m)
    for factor in range(1, n + 1):
        for u in range(n * m, m + factor - 1, -1):
            counts[u] -= counts[u - m - factor]
        for u in range(factor, n * m + 1):
            counts[u] += counts[u - factor]
    return counts


def _deviation(left: Sequence[float], right: Sequence[float]) -> float:
    n, m = len(left), len(right)
    total = n + m
    ties = sum(count**3 - count for count in Counter([*left, *right]).values())
    return math.sqrt(max(0.0, n * m / 12 * (total + 1 - ties / (total * (total - 1)))))


def probability_of_superiority(left: Sequence[float], right: Sequence[float]) -> float:
    """Return the probability that a value of `right` is larger than one of `left`, ties as half."""
    return 1 - mann_whitney_u(left, right) / (len(left) * len(right))


def hodges_lehmann(left: Sequence[float], right: Sequence[float]) -> float:
    """Return the shift from `left` to `right`: the median of all pairwise differences."""
    return median(b - a for a in left for b in right)


def hodges_lehmann_interval(
    left: Sequence[float], right: Sequence[float], confidence: float = 0.95
) -> tuple[float, float]:
    """Return the confidence interval of the shift."""
    n, m = len(left), len(right)
    differences = sorted(b - a for a in left for b in right)
    z = _NORMAL.inv_cdf((1 + confidence) / 2)
    skipped = max(0, math.floor(n * m / 2 - z * math.sqrt(n * m * (n + m + 1) / 12)))
    return differences[skipped], differences[-1 - skipped]
