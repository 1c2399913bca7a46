"""The content of the dashboard as data."""

from __future__ import annotations

from app.monitoring.source import TimeSeries
from rehearsal.dashboard.views import RANGES, aligned, step_of


def test_a_long_range_has_no_more_points_than_a_plot_can_show() -> None:
    assert step_of(RANGES["15m"], 15.0) == 15.0
    for seconds in RANGES.values():
        assert seconds / step_of(seconds, 15.0) <= 240
        assert step_of(seconds, 15.0) % 15 == 0


def test_values_are_aligned_and_gaps_have_no_value() -> None:
    assert aligned(TimeSeries({}, [15.0, 45.0], [1.0, 2.0]), [0.0, 15.0, 30.0, 45.0], 15.0) == [
        None,
        1.0,
        None,
        2.0,
    ]
