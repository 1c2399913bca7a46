"""Minimum interval between two runs of a cron job: never overestimated."""

from __future__ import annotations

import itertools
import re
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.model.cron import min_interval, parse_schedule


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
        ("0 3 * * 7", 60),
        ("0 3 * * */2", 86400),
        ("@every 1.5h", 5400),
        ("@every 1ms", 1),
        ("@every -1h", 1),
        ("@every soon", 60),
        ("@EVERY 1h", 60),
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
def test_any_text_has_an_interval_without_an_exception(schedule: str) -> None:
    assert min_interval(schedule) >= 1


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ("60 * * * *", "minute '60': '60' is not a number from 0 to 59"),
        ("0 3 * * 7", "day of the week '7': '7' is not a number from 0 to 6 or a name"),
        ("0 3 0 * *", "day of the month"),
        ("0 3 * foo *", "month 'foo'"),
        ("*/0 * * * *", "is not a step"),
        ("5-1 * * * *", "'1' is not a number from 5 to 59"),
        ("0 3 * *", "4 fields"),
        ("0 0 3 * * *", "6 fields"),
        ("TZ=Etc/UTC 0 3 * * *", "timeZone"),
        ("@reboot", "@hourly"),
        ("@every 5", "duration"),
        ("@every 9999999999h", "292 years"),
    ],
)
def test_error_names_the_field_and_its_valid_values(schedule: str, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        parse_schedule(schedule)


def test_star_with_a_step_is_a_restriction_of_the_day() -> None:
    """`parser.go` of robfig/cron: a step of more than one clears the star."""
    assert parse_schedule("0 0 * * mon").any_day
    assert not parse_schedule("0 0 */2 * mon").any_day
    assert parse_schedule("0 0 */1 * mon").any_day
