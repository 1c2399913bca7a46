"""Alerts on early warnings: one incident for a finding that persists over runs, and its end."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest

from infra.observability.early_warnings import warnings
from rehearsal.monitoring.promql.evaluator import Recorded, query_range
from rehearsal.monitoring.promql.parser import Selector
from tests.infra.rehearsal import Declared, configuration

ONSET = "kingdom_trend_onset_timestamp_seconds"
HOUR = 3600.0


class Runs:
    """Samples of runs that begin at the given times, each of another pod that is scraped three times."""

    def __init__(self, starts: Iterable[float]) -> None:
        self.found = [
            Recorded(
                (("__name__", ONSET), ("line", "api"), ("pod", f"monitor-{start:g}"), ("signal", "memory")),
                [start + 30.0 * index for index in range(4)],
                [1.0, 1.0, 1.0, math.nan],
            )
            for start in starts
        ]

    def select(self, selector: Selector, start: float, end: float) -> Iterable[Recorded]:
        for each in self.found:
            inside = [
                (at, value) for at, value in zip(each.times, each.values, strict=True) if start < at <= end
            ]
            if inside:
                yield Recorded(each.labels, [at for at, _ in inside], [value for _, value in inside])


@pytest.mark.parametrize("every_hours", [1, 6])
def test_a_finding_of_several_runs_is_one_incident_that_ends(every_hours: int) -> None:
    _, query = warnings(every_hours)["degradation"]
    interval = every_hours * HOUR
    # The evaluation takes up to ten minutes.
    starts = [interval * run + delay for run, delay in enumerate((300.0, 0.0, 600.0, 0.0))]
    (series,) = query_range(Runs(starts), query, 0.0, 6 * interval, 60.0)
    assert series.labels == {"line": "api", "signal": "memory"}
    assert series.times[0] == starts[0]
    assert series.times == [starts[0] + 60.0 * index for index in range(len(series.times))], "a gap"
    assert starts[-1] < series.times[-1] < starts[-1] + interval + 1200


def test_without_a_finding_nothing_fires() -> None:
    assert query_range(Runs([]), warnings(1)["degradation"][1], 0.0, HOUR, 60.0) == []


def test_warnings_open_tickets(prod: Declared) -> None:
    found = {
        name.removeprefix("observability-trends-"): policy
        for name, policy in prod.of("AlertPolicy").items()
        if name.startswith("observability-trends-")
    }
    every = configuration("prod")["kingdom:observability"]["monitor"]["everyHours"]
    assert found.keys() == warnings(every).keys() == {"degradation", "monitor-missing"}
    channel = prod.state("NotificationChannel", "observability-channels-warning").outputs["name"]
    for key, policy in found.items():
        condition = policy["conditions"][0]["conditionPrometheusQueryLanguage"]
        assert condition["query"] == warnings(every)[key][1]
        assert policy["notificationChannels"] == [channel]
        assert policy["severity"] == "WARNING"


def test_a_monitor_that_misses_three_runs_is_reported() -> None:
    title, query = warnings(4)["monitor-missing"]
    assert title == "No monitoring report for 12 hours"
    assert query == "absent_over_time(kingdom_trend_report_timestamp_seconds[12h])"
