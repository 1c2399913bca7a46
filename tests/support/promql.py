"""PromQL evaluated at one moment over constant samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rehearsal.monitoring.promql.evaluator import Recorded, Vector, query
from rehearsal.monitoring.promql.parser import Selector

MINUTES = 120


@dataclass(frozen=True)
class Samples:
    """Recorded series of one test."""

    found: Sequence[Recorded]

    def select(self, selector: Selector, start: float, end: float) -> Iterable[Recorded]:
        """The series that a selector names, with their samples after `start` up to `end`."""
        for each in self.found:
            labels = dict(each.labels)
            if selector.metric != labels["__name__"]:
                continue
            if all(matcher.matches(labels.get(matcher.label, "")) for matcher in selector.matchers):
                inside = [
                    (at, value)
                    for at, value in zip(each.times, each.values, strict=True)
                    if start < at <= end
                ]
                yield Recorded(each.labels, [at for at, _ in inside], [value for _, value in inside])


def series(name: str, value: float, per_minute: float = 0.0, **labels: str) -> Recorded:
    """A series of two hours, a sample each minute: `value`, which grows by `per_minute`."""
    found = tuple(sorted({"__name__": name, **labels}.items()))
    return Recorded(
        found,
        [60.0 * minute for minute in range(MINUTES + 1)],
        [value + per_minute * minute for minute in range(MINUTES + 1)],
    )


def result(text: str, found: Sequence[Recorded]) -> Vector:
    """The vector of a query at the end of the samples."""
    return query(Samples(found), text, 60.0 * MINUTES)
