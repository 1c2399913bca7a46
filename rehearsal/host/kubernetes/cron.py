"""Cron schedules with five fields, for CronJobs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

_NAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_WORDS = (
    {},
    {},
    {},
    {name: n for n, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)},  # noqa: SIM905
    {name: n for n, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])},
)
_HORIZON = dt.timedelta(days=366 * 5)


@dataclass(frozen=True)
class Schedule:
    """Minutes, hours, days of the month, months and days of the week (0 is Sunday) of a schedule."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    @classmethod
    def parse(cls, line: str) -> Schedule:
        """Parse a cron expression. Raises ValueError naming the invalid field."""
        fields = _NAMES.get(line.strip(), line).split()
        if len(fields) != 5:
            raise ValueError(f"schedule {line!r} has {len(fields)} fields: it must have five")
        sets = [_field(text, *_BOUNDS[n], _WORDS[n]) for n, text in enumerate(fields)]
        weekdays = frozenset(day % 7 for day in sets[4])
        return cls(sets[0], sets[1], sets[2], sets[3], weekdays, fields[2][0] in "*?", fields[4][0] in "*?")

    def due(self, moment: dt.datetime) -> bool:
        """Return whether it is due in the minute of `moment`.

        If both day fields are restricted, either matches.
        """
        if (
            moment.minute not in self.minutes
            or moment.hour not in self.hours
            or moment.month not in self.months
        ):
            return False
        day, weekday = moment.day in self.days, moment.isoweekday() % 7 in self.weekdays
        return (day and weekday) if self.any_day or self.any_weekday else (day or weekday)

    def after(self, moment: dt.datetime) -> dt.datetime | None:
        """Return the first due minute after `moment`; None if there is none within five years."""
        at = moment.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
        end = at + _HORIZON
        while at < end:
            if self.due(at):
                return at
            if at.month not in self.months or not self._day_may_match(at):
                at = at.replace(hour=0, minute=0) + dt.timedelta(days=1)
            elif at.hour not in self.hours:
                at = at.replace(minute=0) + dt.timedelta(hours=1)
            else:
                at += dt.timedelta(minutes=1)
        return None

    def _day_may_match(self, at: dt.datetime) -> bool:
        day, weekday = at.day in self.days, at.isoweekday() % 7 in self.weekdays
        return (day and weekday) if self.any_day or self.any_weekday else (day or weekday)


def _field(text: str, minimum: int, maximum: int, words: dict[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        span, _, step = part.partition("/")
        every = _number(step, text, {}, 1, maximum) if step else 1
        if span in {"*", "?"}:
            low, high = minimum, maximum
        else:
            first, dash, last = span.partition("-")
            low = _number(first, text, words, minimum, maximum)
            high = _number(last, text, words, minimum, maximum) if dash else (maximum if step else low)
        found |= set(range(low, high + 1, every))
    return frozenset(found)


def _number(part: str, text: str, words: dict[str, int], minimum: int, maximum: int) -> int:
    value = words.get(part, int(part) if part.isdecimal() else -1)
    if not minimum <= value <= maximum:
        raise ValueError(f"schedule field {text!r}: {part!r} is not between {minimum} and {maximum}")
    return value
