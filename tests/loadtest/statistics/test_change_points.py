"""Change points of histories with known levels."""

from __future__ import annotations

import random

import pytest

from loadtest.statistics.change_points import change_points
from tests.loadtest.statistics.test_regression import windows


def test_change_points_name_where_a_level_begins() -> None:
    rng = random.Random(2)
    series = windows(rng, 12) + windows(rng, 12, 1.3) + windows(rng, 12, 1.3 * 0.7)
    found = change_points(series)
    assert [each.index for each in found] == [12, 24]
    assert found[0].shift == pytest.approx(0.3, abs=0.06)
    assert found[1].shift == pytest.approx(-0.3, abs=0.06)


def test_a_level_series_has_no_change_point_and_a_single_spike_is_none() -> None:
    rng = random.Random(3)
    level = windows(rng, 40)
    assert change_points(level) == []
    level[20] = 1.0
    assert change_points(level) == []
    assert change_points([0.1, 0.2]) == []
