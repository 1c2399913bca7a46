"""What the dashboard shows, as data."""

from __future__ import annotations

import pytest

from app.monitoring.source import TimeSeries
from rehearsal.dashboard.views import RANGES, aligned, budget, step_of
from rehearsal.monitoring.recorder import OBJECTIVE_WINDOW
from tests.rehearsal.monitoring.recording import MadeUp


def test_a_long_range_has_no_more_points_than_a_plot_can_show() -> None:
    assert step_of(RANGES["15m"]) == 15.0
    for seconds in RANGES.values():
        assert seconds / step_of(seconds) <= 240
        assert step_of(seconds) % 15 == 0


def test_values_are_aligned_and_gaps_are_none() -> None:
    assert aligned(TimeSeries({}, [15.0, 45.0], [1.0, 2.0]), [0.0, 15.0, 30.0, 45.0], 15.0) == [
        None,
        1.0,
        None,
        2.0,
    ]


def test_the_budget_is_weighted_by_requests() -> None:
    recorder = MadeUp().recorder()
    signals = recorder.signals
    bad = signals.bad_share("availability", OBJECTIVE_WINDOW)
    for at, share, rate in ((1000.0, 0.0, 99.0), (1600.0, 0.1, 1.0)):
        recorder.store.add_results(at, {(bad, ()): share, (signals.signals["requests"].query, ()): rate})
    found = {item["objective"]: item for item in budget(recorder, signals, 1600.0, 900.0)}
    assert found["availability"]["share"] == pytest.approx(0.001, rel=1e-5)
    assert found["availability"]["used"] == pytest.approx(1.0, rel=1e-5)
    assert found["latency"]["share"] is None
