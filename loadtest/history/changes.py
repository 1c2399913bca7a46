"""Change points of the recorded runs, by settings, endpoint and measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from loadtest.history.entry import Entry, Measured
from loadtest.statistics.change_points import change_points, min_runs, runs_needed
from loadtest.statistics.regression import TOLERANCE

NEWEST: Final = 20
"""Number of the newest runs within which a regression fails; an older one is the accepted level."""
MAX_RUNS: Final = 200
"""The newest runs that are evaluated."""
CAPACITY: Final = "capacity"
_ERROR_TOLERANCE: Final = 0.005


@dataclass(frozen=True)
class Measure:
    """A measure of an endpoint. `min_count` requests are needed: one beyond the percentile.

    `tolerance` is a share of the level before a change, or, if `absolute`, in the unit of the values.
    """

    name: str
    value: Callable[[Measured], float]
    min_count: int
    tolerance: float = TOLERANCE
    absolute: bool = False


MEASURES: Final = (
    Measure("P50", lambda found: found.p50, 2),
    Measure("P95", lambda found: found.p95, 20),
    Measure("P99", lambda found: found.p99, 100),
    Measure("errors", lambda found: found.error_share, 1, _ERROR_TOLERANCE, absolute=True),
)


@dataclass(frozen=True)
class Change:
    """A change point of one endpoint and measure.

    `first` is the run with which the new level begins, `last` the one before it, `since` the number of runs
    from `first` to the newest one.
    """

    endpoint: str
    measure: str
    before: float
    after: float
    shift: float
    interval: tuple[float, float]
    absolute: bool
    first: Entry
    last: Entry
    since: int
    latest: bool

    @property
    def regression(self) -> bool:
        """Whether the platform became slower, failed more, or lost capacity."""
        return self.shift < 0 if self.measure == CAPACITY else self.shift > 0

    @property
    def failed(self) -> bool:
        """Whether it is the latest change of its series, a regression, and within the newest runs."""
        return self.latest and self.regression and self.since <= NEWEST

    @property
    def size(self) -> str:
        """Return the shift with its interval as text."""
        low, high = self.interval
        if self.absolute:
            return f"{self.shift * 100:+.2f} points ({low * 100:+.2f} to {high * 100:+.2f})"
        return f"{self.shift:+.1%} ({low:+.1%} to {high:+.1%})"

    @property
    def commits(self) -> str:
        """Return the first commit of the new level and the last one before it, as text."""
        if self.first.commit == self.last.commit:
            return f"{self.first.commit[:12]} before and after: not a change of the code"
        return f"{self.first.commit[:12]} (last before: {self.last.commit[:12]})"

    def text(self) -> str:
        """Return the change as one line."""
        kind = "regression" if self.regression else "improvement"
        return (
            f"{self.endpoint} {self.measure}: {kind} of {self.size} with {self.commits}, "
            f"{self.first.date:%Y-%m-%d %H:%M}, {self.since} runs ago"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the change as JSON values."""
        return {
            "endpoint": self.endpoint, "measure": self.measure, "before": self.before, "after": self.after,
            "shift": self.shift, "interval": list(self.interval), "absolute": self.absolute,
            "regression": self.regression, "failed": self.failed, "commit": self.first.commit,
            "lastBefore": self.last.commit, "date": self.first.date.isoformat(), "runs": self.since,
        }  # fmt: skip


@dataclass(frozen=True)
class Group:
    """The runs of one machine class with equal settings, by date."""

    machine: str
    title: str
    entries: Sequence[Entry]

    def series(self) -> dict[tuple[str, Measure | None], tuple[list[Entry], list[float]]]:
        """The values of every endpoint and measure, with the runs that have them; None is the capacity."""
        found: dict[tuple[str, Measure | None], tuple[list[Entry], list[float]]] = {}
        for entry in self.entries[-MAX_RUNS:]:
            values: list[tuple[tuple[str, Measure | None], float]] = [
                ((endpoint, measure), measure.value(each))
                for endpoint, each in entry.endpoints.items()
                for measure in MEASURES
                if each.count >= measure.min_count
            ]
            if entry.rate is not None:
                values.append(((CAPACITY, None), entry.rate))
            for key, value in values:
                runs, numbers = found.setdefault(key, ([], []))
                runs.append(entry)
                numbers.append(value)
        return found

    def changes(self) -> list[Change]:
        """All change points, the latest first."""
        found: list[Change] = []
        for (endpoint, measure), (runs, values) in self.series().items():
            tolerance, absolute = (
                (TOLERANCE, False) if measure is None else (measure.tolerance, measure.absolute)
            )
            points = change_points(values, tolerance, absolute=absolute)
            found += [
                Change(
                    endpoint="" if measure is None else endpoint,
                    measure=CAPACITY if measure is None else measure.name,
                    before=point.before, after=point.after, shift=point.shift, interval=point.interval,
                    absolute=absolute, first=runs[point.index], last=runs[point.index - 1],
                    since=len(runs) - point.index, latest=point is points[-1],
                )
                for point in points
            ]  # fmt: skip
        return sorted(found, key=lambda change: (change.first.date, abs(change.shift)), reverse=True)

    def needed(self) -> str:
        """How many more runs are needed until a change can be found."""
        count = len(self.entries)
        if count < min_runs():
            recorded = "1 run" if count == 1 else f"{count} runs"
            return f"{recorded}; change points need at least {min_runs()}: {min_runs() - count} more"
        return f"a change is found at the earliest {runs_needed(min(count, MAX_RUNS))} runs after it began"


def grouped(entries: Sequence[Entry]) -> list[Group]:
    """Runs by machine class and settings, in the order of their first run."""
    found: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        found.setdefault((entry.machine, entry.title), []).append(entry)
    return [Group(machine, title, runs) for (machine, title), runs in found.items()]
