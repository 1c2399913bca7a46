"""How long a history must be, gaps, and values that are not numbers."""

from __future__ import annotations

import math

import msgspec
import pytest

from app.monitoring.source import TimeSeries
from rehearsal.monitoring.recommendations.history import ratio, share
from tests.rehearsal.monitoring.recommendations.lines import Line, history, with_gaps

REQUESTS = "requests"


@pytest.mark.parametrize(
    ("line", "hours", "expected"),
    [(1.0, 3.0, True), (1.0, 2.98, False), (with_gaps(1.0), 3.0, False), (math.nan, 24.0, False)],
    ids=["three-hours", "shorter", "gaps", "no-number"],
)
def test_a_rule_needs_three_hours_and_a_hundred_points(line: Line, hours: float, expected: bool) -> None:
    found = history({REQUESTS: {"": line}}, hours)
    assert found.enough(found.line(REQUESTS)) is expected


def test_infinite_values_are_left_out() -> None:
    found = history({REQUESTS: {"": lambda index: math.inf if index % 2 else 1.0}}, 12.0)
    assert set(found.line(REQUESTS).values) == {1.0}


@pytest.mark.parametrize(("hours", "factor"), [(3.0, 9.0), (24.0, 2.0), (240.0, 1.1)])
def test_the_upper_bound_widens_with_a_short_history(hours: float, factor: float) -> None:
    series = TimeSeries({}, [0.0, hours * 3600], [1.0, 1.0])
    assert history({}).widening(series) == pytest.approx(factor)


def test_the_declared_history_sets_step_points_and_widening() -> None:
    found = history({})
    detection = msgspec.structs.replace(found.detection, scrape_seconds=1.0, history_seconds=20.0)
    signals = msgspec.structs.replace(found.signals, detection=detection)
    fast = type(found)(found.source, signals, found.config, found.end, found.seconds)
    times = [float(at) for at in range(41)]
    assert fast.step == 1.0
    assert fast.widening(TimeSeries({}, times, times)) == pytest.approx(5.0)
    assert fast.enough(TimeSeries({}, times[:21], times[:21]))
    assert not fast.enough(TimeSeries({}, times[:20], times[:20]))


def test_quotients_exist_at_common_times_with_a_divisor() -> None:
    found = ratio(TimeSeries({}, [1, 2, 3], [4.0, 6.0, 8.0]), TimeSeries({}, [1, 3, 4], [2.0, 0.0, 1.0]))
    assert (found.times, found.values) == ([1], [2.0])


def test_a_share_of_nothing_is_zero() -> None:
    assert share(TimeSeries({}), lambda _, value: value > 0) == 0.0
    assert share(TimeSeries({}, [1, 2], [0.0, 1.0]), lambda _, value: value > 0) == 0.5


class Labelled:
    """A line with the labels of the metric of kube-state-metrics."""

    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        labels = {"namespace": "kingdom", "horizontalpodautoscaler": "api"}
        return [TimeSeries(labels, [end], [3.0])]


def test_lines_are_named_by_the_declared_label_alone() -> None:
    found = history({})
    real = type(found)(Labelled(), found.signals, found.config, found.end, found.seconds)
    assert real.line("replicas", "api").values == [3.0]
