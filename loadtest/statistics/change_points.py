"""Change points in a history of measurements: where a new level begins.

Binary segmentation with the test of Mann and Whitney (a rank form of E-Divisive, Matteson and James 2014):
the split with the smallest p-value is taken if it is significant after Bonferroni's correction for all splits
that were tried and the level moved by at least `min_shift`; then both sides are searched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    return sorted(_search(values, 0, len(values), min_shift), key=lambda each: each.index)


def _search(values: Sequence[float], start: int, end: int, min_shift: float) -> list[ChangePoint]:
    splits = range(start + MIN_SEGMENT, end - MIN_SEGMENT + 1)
    if not splits:
        return []
    p, split = min((mann_whitney_p(values[start:at], values[at:end]), at) for at in splits)
    if p * len(splits) >= _MAX_P:
        return []
    before, after = median(values[start:split]), median(values[split:end])
    point = ChangePoint(split, before, after)
    found = [point] if abs(point.shift) >= min_shift else []
    return [*_search(values, start, split, min_shift), *found, *_search(values, split, end, min_shift)]
