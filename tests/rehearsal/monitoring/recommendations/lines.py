"""Lines of signals in place of a recording, for the tests of rules."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from app.monitoring.source import TimeSeries
from rehearsal.monitoring.recommendations.history import RecordedHistory
from rehearsal.monitoring.recommendations.recommendation import StackRecommendation
from rehearsal.monitoring.signals import declared
from rehearsal.pulumi.project import Project
from tests.repository._tree import ROOT

CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "stacks/Pulumi.prod.yaml").read_text())["config"]
SIGNALS = declared(Project.at(ROOT), "prod")
END = 1_000_000.0
MIB = 1024 * 1024
API: dict[str, Any] = CONFIG["kingdom:workload"]["api"]
WORKER: dict[str, Any] = CONFIG["kingdom:workload"]["worker"]
Line = float | Callable[[int], float | None]
Lines = Mapping[str, Mapping[str, Line]]
Rule = Callable[[RecordedHistory], list[StackRecommendation]]


class RecordedLines:
    """Lines by signal and label: a constant, or a value for the n-th step (None: a gap)."""

    def __init__(self, lines: Lines, hours: float) -> None:
        self._lines = {SIGNALS.signals[name].query: group for name, group in lines.items()}
        self._hours = hours

    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        count = int(self._hours * 3600 / step) + 1
        found = []
        for label, line in self._lines.get(query, {}).items():
            values = [line(index) if callable(line) else line for index in range(count)]
            present = [
                (end - step * (count - 1 - at), value) for at, value in enumerate(values) if value is not None
            ]
            labels = {"x": label} if label else {}
            found.append(TimeSeries(labels, [at for at, _ in present], [value for _, value in present]))
        return found


def history(lines: Lines, hours: float = 24.0, config: Mapping[str, Any] = CONFIG) -> RecordedHistory:
    """Return a history of the stack `prod` with these lines over a number of hours."""
    return RecordedHistory(RecordedLines(lines, hours), SIGNALS, config, END, 7 * 86_400.0)


def run(
    rule: Rule, lines: Lines, hours: float = 24.0, config: Mapping[str, Any] = CONFIG
) -> list[StackRecommendation]:
    """Return the recommendations of a rule."""
    return rule(history(lines, hours, config))


def changed(section: str, **values: Any) -> dict[str, Any]:
    """The configuration with other values in a section."""
    config = copy.deepcopy(CONFIG)
    config[section] |= values
    return config


def with_gaps(value: float) -> Line:
    """A value in every third step: fewer than 100 in 180."""
    return lambda index: value if index % 3 == 0 else None


def rarely(value: float, otherwise: float) -> Line:
    """A value in every 25th step: 4 % of the time."""
    return lambda index: value if index % 25 == 0 else otherwise


def between(first: int, last: int, value: float, otherwise: float | None) -> Line:
    """A value from a step up to another one, and another value or a gap before and after."""
    return lambda index: value if first <= index < last else otherwise


def rising(first: float, step: float) -> Line:
    """A value that rises by the same amount in every step."""
    return lambda index: first + step * index


def every(count: int, value: float | None, otherwise: float) -> Line:
    """A value or a gap at a regular interval of steps."""
    return lambda index: value if index % count == 0 else otherwise


def mixed(value: float) -> Line:
    """A value in every step but the third ones, which are not finite, and one gap of an hour."""
    bad = (math.nan, math.inf, -math.inf)
    return lambda index: None if 300 <= index < 360 else bad[index // 3 % 3] if index % 3 == 0 else value


def until(step: int, before: float, after: float) -> Line:
    """A value up to a step, and another one from it on."""
    return lambda index: before if index < step else after
