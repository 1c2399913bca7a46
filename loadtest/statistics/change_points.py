"""Change points in a history of measurements: where a new level begins.

Binary segmentation with the test of Mann and Whitney (a rank form of E-Divisive, Matteson and James 2014):
the split with the smallest p-value is taken if it is significant after Bonferroni's correction for all splits
that were tried; then both sides are searched. A change point is a split between adjacent levels whose medians
differ by at least `min_shift`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from loadtest.statistics.rank_tests import mann_whitney_p

MIN_SEGMENT: Final = 4
_MAX_P: Final = 0.05


@dataclass(frozen=True)
class ChangePoint:
    """The index at which a new level begins, and the medians before and after it."""

    index: int
    before: float
    after: float

    @property
    def shift(self) -> float:
        """Relative change of the median."""
        return self.after / self.before - 1 if self.before else 0.0


def change_points(values: Sequence[float], min_shift: float = 0.05) -> list[ChangePoint]:
    """The change points of a series, in order."""
    edges = [0, *sorted(_splits(values, 0, len(values))), len(values)]
    levels = [median(values[start:end]) for start, end in pairwise(edges)] if values else []
    found = [
        ChangePoint(index, before, after)
        for index, (before, after) in zip(edges[1:-1], pairwise(levels), strict=True)
    ]
    return [each for each in found if abs(each.shift) >= min_shift]


def _splits(values: Sequence[float], start: int, end: int) -> list[int]:
    candidates = range(start + MIN_SEGMENT, end - MIN_SEGMENT + 1)
    if not candidates:
        return []
    p, split = min((mann_whitney_p(values[start:at], values[at:end]), at) for at in candidates)
    if p * len(candidates) >= _MAX_P:
        return []
    return [*_splits(values, start, split), split, *_splits(values, split, end)]
