"""Run times of a CronJob."""

from __future__ import annotations

import datetime as dt

from policies.api import Schedule

_HORIZON = dt.timedelta(days=366 * 5)


def is_due(schedule: Schedule, moment: dt.datetime) -> bool:
    """Return whether a run is due in the minute of `moment`.

    Intervals of ``@every`` count from the epoch and are at least a minute.
    """
    if schedule.every:
        minutes = max(1, schedule.every // 60)
        return int(moment.timestamp()) // 60 % minutes == 0
    return (
        moment.minute in schedule.minutes
        and moment.hour in schedule.hours
        and moment.month in schedule.months
        and _is_due_on(schedule, moment)
    )


def next_run(schedule: Schedule, moment: dt.datetime) -> dt.datetime | None:
    """Return the first due minute after `moment`; None if there is none within five years."""
    at = moment.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
    end = at + _HORIZON
    while at < end:
        if is_due(schedule, at):
            return at
        if schedule.every:
            minutes = max(1, schedule.every // 60)
            at += dt.timedelta(minutes=minutes - int(at.timestamp()) // 60 % minutes)
        elif at.month not in schedule.months or not _is_due_on(schedule, at):
            at = at.replace(hour=0, minute=0) + dt.timedelta(days=1)
        elif at.hour not in schedule.hours:
            at = at.replace(minute=0) + dt.timedelta(hours=1)
        else:
            at += dt.timedelta(minutes=1)
    return None


def _is_due_on(schedule: Schedule, moment: dt.datetime) -> bool:
    """Return whether the schedule matches the day. Two restricted day fields are alternatives."""
    day, weekday = moment.day in schedule.days, moment.isoweekday() % 7 in schedule.weekdays
    return (day and weekday) if schedule.any_day or schedule.any_weekday else (day or weekday)
