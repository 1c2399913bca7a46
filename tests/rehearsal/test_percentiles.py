"""Percentiles of measured values."""

from __future__ import annotations

import pytest

from rehearsal.percentiles import percentile


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (25, 1), (26, 2), (50, 2), (99, 4), (100, 4)])
def test_percentile_is_of_the_nearest_rank(percent: float, expected: float) -> None:
    assert percentile([4, 1, 3, 2], percent) == expected


def test_percentile_of_no_values_is_zero() -> None:
    assert percentile([], 50) == 0
