"""Cron expressions in the syntax of the CronJob controller, and the minimum time between two runs.

Grammar: https://pkg.go.dev/github.com/robfig/cron/v3 (``ParseStandard``): five fields with ``*``, ``?``,
lists, ranges, steps and names, or a descriptor such as ``@hourly`` or ``@every 90m``.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Final

DAY: Final = 24 * 60 * 60
# Descriptors: the equivalent fields, and the minimum seconds between two runs.
_DESCRIPTORS: Final = {
    "@yearly": ("0 0 1 1 *", 365 * DAY),
    "@annually": ("0 0 1 1 *", 365 * DAY),
    "@monthly": ("0 0 1 * *", 28 * DAY),
    "@weekly": ("0 0 * * 0", 7 * DAY),
    "@daily": ("0 0 * * *", DAY),
    "@midnight": ("0 0 * * *", DAY),
    "@hourly": ("0 * * * *", 60 * 60),
}
_EVERY: Final = "@every "
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_DURATION: Final = re.compile(rf"[-+]?(?:0|(?:{_PART.pattern})+)")
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_MAX_SECONDS: Final = 2**63 / 1e9  # maximum of a Go duration
_NUMBER: Final = re.compile(r"\+?[0-9]{1,9}")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Name of the field, minimum, maximum, and names of the values from the minimum on.
_FIELDS: Final[tuple[tuple[str, int, int, tuple[str, ...]], ...]] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)


@dataclass(frozen=True)
class Schedule:
    """The minutes, hours, days, months and days of the week (0 is Sunday) of the runs.

    `any_day` and `any_weekday` are true for ``*`` without a step: two restricted day fields mean either of
    them. `every` is the interval of ``@every`` in seconds; the fields are empty then.
    """

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    any_day: bool = False
    any_weekday: bool = False
    every: int = 0


def parse_schedule(text: str) -> Schedule:
    """Parse the schedule of a CronJob. Raises ValueError with the field and its valid values."""
    if "TZ" in text:  # the API server makes the same check
        raise ValueError(f"schedule {text!r} names a time zone: use the field timeZone")
    if text.startswith("@"):
        if text.startswith(_EVERY):
            return Schedule(every=_interval(text.removeprefix(_EVERY)))
        if text not in _DESCRIPTORS:
            raise ValueError(f"schedule {text!r} is not one of {', '.join(_DESCRIPTORS)}, @every DURATION")
        text = _DESCRIPTORS[text][0]
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"schedule {text!r} has {len(fields)} fields: it needs five, minute, hour, day, month, weekday, "
            'such as "0 3 * * *"'
        )
    parsed = [_field(field, *limits) for field, limits in zip(fields, _FIELDS, strict=True)]
    (minutes, _), (hours, _), (days, any_day), (months, _), (weekdays, any_weekday) = parsed
    return Schedule(minutes, hours, days, months, weekdays, any_day, any_weekday)


def min_interval(text: str) -> int:
    """Return the minimum seconds between two runs: never an overestimate, and 60 for an invalid schedule."""
    if text in _DESCRIPTORS:
        return _DESCRIPTORS[text][1]
    try:
        schedule = parse_schedule(text)
    except ValueError:
        return 60
    if schedule.every:
        return schedule.every
    if not all((schedule.minutes, schedule.hours, schedule.days, schedule.months, schedule.weekdays)):
        return 60
    moments = [hour * 60 + minute for hour in sorted(schedule.hours) for minute in sorted(schedule.minutes)]
    gaps = [later - sooner for sooner, later in itertools.pairwise(moments)]
    # From the last run of a day to the first of the next day with a run. Two restricted day fields mean
    # either of them.
    apart = 1
    weekdays = sorted(schedule.weekdays)
    if len(schedule.days) == 31 and len(weekdays) < 7:
        apart = min((b - a) % 7 or 7 for a, b in zip(weekdays, (*weekdays[1:], weekdays[0]), strict=True))
    gaps.append(apart * 24 * 60 - moments[-1] + moments[0])
    return 60 * min(gaps)


def _interval(text: str) -> int:
    """Return the seconds of a Go duration, rounded down to at least one second."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not a duration, such as 1h30m")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    if seconds > _MAX_SECONDS:
        raise ValueError(f"{text[:80]!r} is more than 292 years")
    return max(1, 0 if text.startswith("-") else int(seconds))


def _field(field: str, what: str, low: int, high: int, names: tuple[str, ...]) -> tuple[frozenset[int], bool]:
    """Return the numbers that a field matches, and whether it has ``*`` or ``?`` without a step."""
    found: set[int] = set()
    starred = False

    def number(text: str, minimum: int) -> int:
        value = names.index(text.lower()) + low if text.lower() in names else -1
        value = int(text) if _NUMBER.fullmatch(text) else value
        if not minimum <= value <= high:
            raise ValueError(
                f"{what} {field[:80]!r}: {text[:80]!r} is not a number from {minimum} to {high}"
                + (" or a name" if names else "")
            )
        return value

    for part in filter(None, field.split(",")):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        every = _step(step, field, what) if slash else 1
        if first in ("*", "?"):
            start, end = low, high
            starred = starred or every == 1
        else:
            start = number(first, low)
            # 5/10: 5, 15, 25 and so on.
            end = number(last, start) if dash else high if slash else start
        found.update(range(start, end + 1, every))
    return frozenset(found), starred


def _step(text: str, field: str, what: str) -> int:
    if not _NUMBER.fullmatch(text) or not int(text):
        raise ValueError(f"{what} {field[:80]!r}: {text[:80]!r} is not a step: it is a number from 1")
    return int(text)
