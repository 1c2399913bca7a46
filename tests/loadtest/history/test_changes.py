"""Changes among recorded runs: their commit, their size, and the exit code of the history."""

from __future__ import annotations

from datetime import timedelta

import pytest

from loadtest.history.changes import CAPACITY, NEWEST, Change, Group, grouped
from loadtest.history.entry import ALL, Entry
from tests.loadtest.history.factories import entry, level, requests, runs, searches


def only(entries: list[Entry]) -> Group:
    (group,) = grouped(entries)
    return group


def of(changes: list[Change], measure: str) -> Change:
    (found,) = [change for change in changes if change.measure == measure]
    return found


def test_a_slow_down_names_endpoint_measure_shift_and_both_commits() -> None:
    group = only(runs(level(15, 0.1) + level(8, 0.11)))
    change = of(group.changes(), "P95")
    assert change.endpoint == ALL
    assert change.first is group.entries[15]
    assert change.last is group.entries[14]
    assert change.shift == pytest.approx(0.1, abs=0.005)
    assert change.interval[0] < 0.1 < change.interval[1]
    assert change.since == 8
    assert change.failed
    assert change.text() == (
        f"all endpoints P95: regression of {change.size} with 000000000000 (last before: 000000000000), "
        "2026-11-16 00:00, 8 runs ago"
    )
    assert change.as_json()["commit"] == f"{16:040x}"
    assert change.as_json()["lastBefore"] == f"{15:040x}"


def test_a_change_between_runs_of_one_commit_is_not_of_the_code() -> None:
    entries = [
        entry(number, commit="a" * 40, endpoints={ALL: requests(value)})
        for number, value in enumerate(level(15, 0.1) + level(8, 0.2))
    ]
    assert "aaaaaaaaaaaa before and after: not a change of the code" in only(entries).changes()[0].text()


def test_an_improvement_does_not_fail() -> None:
    change = of(only(runs(level(15, 0.1) + level(8, 0.08))).changes(), "P95")
    assert not change.regression
    assert not change.failed


def test_a_regression_that_was_fixed_does_not_fail() -> None:
    changes = only(runs(level(15, 0.1) + level(8, 0.2) + level(8, 0.1))).changes()
    assert [change.regression for change in changes if change.measure == "P95"] == [False, True]
    assert not any(change.failed for change in changes)


@pytest.mark.parametrize(("since", "failed"), [(NEWEST, True), (NEWEST + 1, False)])
def test_a_regression_before_the_newest_runs_is_the_accepted_level(since: int, failed: bool) -> None:
    change = of(only(runs(level(20, 0.1) + level(since, 0.2))).changes(), "P95")
    assert change.regression
    assert change.failed == failed


def test_a_lower_capacity_is_a_regression_and_a_higher_one_is_not() -> None:
    lower = of(only(searches([100.0] * 12 + [75.0] * 8)).changes(), CAPACITY)
    assert lower.failed
    assert lower.shift == -0.25
    higher = of(only(searches([75.0] * 12 + [100.0] * 8)).changes(), CAPACITY)
    assert not higher.regression


def test_more_errors_are_a_regression_in_percentage_points() -> None:
    entries = [
        entry(number, endpoints={ALL: requests(0.05, error_share=share)})
        for number, share in enumerate([0.0] * 12 + [0.02] * 8)
    ]
    change = of(only(entries).changes(), "errors")
    assert change.failed
    assert change.size == "+2.00 points (+2.00 to +2.00)"
    # A difference of half a percentage point in the error rate is within the tolerance.
    few = [
        entry(number, endpoints={ALL: requests(0.05, error_share=share)})
        for number, share in enumerate([0.0] * 12 + [0.004] * 8)
    ]
    assert only(few).changes() == []


def test_percentiles_of_too_few_requests_are_not_evaluated() -> None:
    entries = [
        entry(number, endpoints={"GET /v1/feed": requests(value, count=99)})
        for number, value in enumerate(level(15, 0.1) + level(8, 0.3))
    ]
    assert {change.measure for change in only(entries).changes()} == {"P50", "P95"}


def test_an_endpoint_that_only_some_runs_have_is_evaluated_over_those() -> None:
    entries = runs(level(10, 0.1)) + [
        entry(10 + number, endpoints={ALL: requests(0.1), "GET /v1/new": requests(value)})
        for number, value in enumerate(level(12, 0.05) + level(8, 0.1))
    ]
    change = of([each for each in only(entries).changes() if each.endpoint == "GET /v1/new"], "P95")
    assert change.first is entries[22]


def test_runs_of_other_machines_or_settings_are_not_compared() -> None:
    slow = [
        entry(20 + number, **changes, endpoints={ALL: requests(0.5)})
        for number in range(8)
        for changes in ({"machine": "other"}, {"scale": 0.1}, {"mix": "orders"}, {"seconds": 30.0})
    ]
    groups = grouped([*runs(level(20, 0.1)), *slow])
    assert len(groups) == 5
    assert not any(group.changes() for group in groups)


def test_the_number_of_runs_that_are_needed_is_stated() -> None:
    assert only(runs(level(5, 0.1))).needed() == "5 runs; change points need at least 14: 9 more"
    assert only(runs(level(20, 0.1))).needed() == "a change is found at the earliest 4 runs after it began"


def test_only_the_newest_runs_are_evaluated() -> None:
    entries = runs(level(30, 0.1) + level(200, 0.2))
    assert only(entries).changes() == []


def test_changes_are_listed_the_latest_first() -> None:
    changes = only(runs(level(15, 0.1) + level(15, 0.2) + level(15, 0.3))).changes()
    dates = [change.first.date for change in changes]
    assert dates == sorted(dates, reverse=True)
    assert dates[0] - dates[-1] == timedelta(days=15)
