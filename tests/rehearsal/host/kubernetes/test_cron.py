"""Run times of a CronJob."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.api import parse_schedule
from rehearsal.host.kubernetes.cron import is_due, next_run

START = dt.datetime(2026, 2, 26, 10, 17, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("* * * * *", "2026-02-26 10:18"),
        ("17 10 * * *", "2026-02-27 10:17"),
        ("0 0 29 2 *", "2028-02-29 00:00"),
        ("@weekly", "2026-03-01 00:00"),
        ("@every 1h", "2026-02-26 11:00"),
        # Either of two restricted day fields; the star with a step is a restriction.
        ("0 0 1 * mon", "2026-03-01 00:00"),
        ("0 0 */10 * fri", "2026-02-27 00:00"),
        # With a plain star in one of the day fields, both must match.
        ("0 0 * * mon", "2026-03-02 00:00"),
    ],
)
def test_next_run_follows_from_the_schedule(schedule: str, expected: str) -> None:
    found = next_run(parse_schedule(schedule), START)
    assert found is not None
    assert f"{found:%Y-%m-%d %H:%M}" == expected


def test_day_that_does_not_exist_is_never_due() -> None:
    assert next_run(parse_schedule("0 0 31 2 *"), START) is None


@settings(max_examples=15)
@given(st.integers(0, 59), st.integers(0, 23), st.integers(1, 28), st.integers(0, 6))
def test_no_minute_before_the_next_run_is_due(minute: int, hour: int, day: int, weekday: int) -> None:
    schedule = parse_schedule(f"{minute} {hour} {day} * {weekday}")
    found = next_run(schedule, START)
    assert found is not None
    at = START + dt.timedelta(minutes=1)
    while at < found:
        assert not is_due(schedule, at)
        at += dt.timedelta(minutes=1)
    assert is_due(schedule, found)
