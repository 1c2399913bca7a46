"""Cron expressions as the CronJob controller reads them, for how close together two runs can be.

Grammar: https://pkg.go.dev/github.com/robfig/cron/v3 (``ParseStandard``): five fields with ``*``, ``?``,
lists, ranges, steps and names, or a descriptor such as ``@hourly`` or ``@every 90m``.
"""

from __future__ import annotations

import itertools
import re
from typing import Final

DAY: Final = 24 * 60 * 60
_DESCRIPTORS: Final = {
    "@yearly": 365 * DAY,
    "@annually": 365 * DAY,
    "@monthly": 28 * DAY,
    "@weekly": 7 * DAY,
    "@daily": DAY,
    "@midnight": DAY,
    "@hourly": 60 * 60,
}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Lowest value, highest value, names of the lowest and those after it.
_FIELDS: Final[tuple[tuple[int, int, tuple[str, ...]], ...]] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)


def min_interval(schedule: str) -> int:
    """The minimum seconds between two runs of `schedule`: never too long, and 60 for an invalid schedule."""
    text = schedule.strip().lower()
    if text in _DESCRIPTORS:
        return _DESCRIPTORS[text]
    if text.startswith("@every "):
        parts = _DURATION.findall(text.removeprefix("@every "))
        return max(1, int(sum(float(number) * _SECONDS[unit] for number, unit in parts)))
    fields = text.split()
    if len(fields) != len(_FIELDS):
        return 60
    values = [_values(field, *limits) for field, limits in zip(fields, _FIELDS, strict=True)]
    if any(found is None or not found for found in values):
        return 60
    minutes, hours, days, _, weekdays = (sorted(found or ()) for found in values)
    moments = [hour * 60 + minute for hour in hours for minute in minutes]
    gaps = [later - sooner for sooner, later in itertools.pairwise(moments)]
    # Over midnight, to the next day on which it runs. Two restricted day fields mean either of them.
    apart = 1
    if len(days) == 31 and len(weekdays) < 7:
        apart = min((b - a) % 7 or 7 for a, b in zip(weekdays, (*weekdays[1:], weekdays[0]), strict=True))
    gaps.append(apart * 24 * 60 - moments[-1] + moments[0])
    return 60 * min(gaps)


def _values(field: str, low: int, high: int, names: tuple[str, ...]) -> set[int] | None:
    """The numbers that a field means; None when it is not one."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            start, end = low, high
        else:
            numbers = _number(first, low, names), _number(last or first, low, names)
            if None in numbers or (step and not step.isdecimal()):
                return None
            start, end = numbers[0] or 0, numbers[1] or 0
            if step and not dash:
                end = high  # 5/10: from 5 on, every 10
        if step and (not step.isdecimal() or not int(step)):
            return None
        if not low <= start <= end <= high:
            return None
        found.update(range(start, end + 1, int(step) if step else 1))
    return found


def _number(text: str, low: int, names: tuple[str, ...]) -> int | None:
    if text in names:
        return names.index(text) + low
    return int(text) if text.isdecimal() else None
