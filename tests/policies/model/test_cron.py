"""Minimum interval between two runs of a cron job: never overestimated."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.model.cron import min_interval


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        ("* * * * *", 60),
        ("*/7 * * * *", 240),
        ("0,50 * * * *", 600),
        ("5 * * * *", 3600),
        ("30 2 * * *", 86400),
        ("0 1-3 * * *", 3600),
        ("0 8/6 * * *", 6 * 3600),
        ("59 23 * * *", 86400),
        ("0 0,23 * * *", 3600),
        ("0 3 * * mon", 7 * 86400),
        ("0 3 * * MON,THU", 3 * 86400),
        ("0 3 1 * *", 86400),
        ("@hourly", 3600),
        ("@every 1h30m", 5400),
        ("@weekly", 7 * 86400),
        ("", 60),
        ("61 * * * *", 60),
        ("* * * *", 60),
        ("a b c d e", 60),
        ("*/0 * * * *", 60),
        ("5-1 * * * *", 60),
    ],
)
def test_the_min_interval_of_a_schedule(schedule: str, seconds: int) -> None:
    assert min_interval(schedule) == seconds


@given(
    st.sets(st.integers(0, 59), min_size=1, max_size=4),
    st.sets(st.integers(0, 23), min_size=1, max_size=4),
    st.none() | st.sets(st.integers(0, 6), min_size=1, max_size=6),
)
def test_no_two_runs_of_a_month_are_closer(
    minutes: set[int], hours: set[int], weekdays: set[int] | None
) -> None:
    fields = [",".join(map(str, sorted(values))) for values in (minutes, hours)]
    days = "*" if weekdays is None else ",".join(map(str, sorted(weekdays)))
    start = datetime(2026, 3, 1)
    runs = [
        start + timedelta(days=day, hours=hour, minutes=minute)
        for day, hour, minute in itertools.product(range(31), sorted(hours), sorted(minutes))
        if weekdays is None or (start + timedelta(days=day)).isoweekday() % 7 in weekdays
    ]
    closest = min((later - sooner).total_seconds() for sooner, later in itertools.pairwise(runs))
    assert min_interval(f"{' '.join(fields)} * * {days}") == closest


@given(st.text(alphabet="0123456789*/,-? @abcdefmonr", max_size=20))
def test_no_schedule_makes_it_raise(schedule: str) -> None:
    assert min_interval(schedule) >= 1
