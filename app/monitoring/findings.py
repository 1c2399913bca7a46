"""Findings: which signal degraded, when, by how much, and which events happened at that time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from app.monitoring.signals import Scale, Signal, Signals
from app.monitoring.source import Source, TimeSeries
from app.monitoring.trends import MIN_BUCKETS, Change, buckets, detect, ramp_of

_MOVED_BUCKETS: Final = 3


@dataclass(frozen=True)
class Happening:
    """An event that may be the cause: a deployment, a scaling decision, a drill, a load run."""

    at: float
    kind: str
    title: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """A degradation of one line of a signal.

    `hours` is the time until `limit` is reached, from the bounds of the slope; its second value is None if
    the lower bound does not reach the limit. `movers` are events near the onset, `with_` other lines that
    changed then.
    """

    signal: str
    title: str
    line: str
    unit: str
    change: Change
    window: float
    limit: float | None = None
    hours: tuple[float, float | None] | None = None
    movers: tuple[Happening, ...] = ()
    with_: tuple[str, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Return the finding as one sentence."""
        change = self.change
        where = f" of {self.line}" if self.line else ""
        what = "changed" if change.kind == "shift" else "is drifting"
        found = f"{self.title}{where} {what} from {change.before:.3g} to {change.after:.3g} {self.unit}" + (
            f" ({change.relative:+.0%})" if math.isfinite(change.relative) else ""
        )
        if self.hours is not None:
            low, high = self.hours
            until = f"{low:.1f} to {high:.1f} h" if high is not None else f"{low:.1f} h or more"
            found += f"; reaches {self.limit:g} {self.unit} in {until}"
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain data; `relative` is None for a change from 0."""
        relative = self.change.relative
        data = asdict(self)
        data["with"] = data.pop("with_")
        return {**data, "text": self.text, "relative": relative if math.isfinite(relative) else None}


def findings(
    source: Source, signals: Signals, end: float, happenings: Sequence[Happening] = ()
) -> list[Finding]:
    """Return the degradations in the windows before `end`, the largest change first.

    A line that is found at several scales is reported at the longest one, which contains its onset. Raises
    SourceError.
    """
    found: dict[tuple[str, str], Finding] = {}
    for scale in sorted(signals.detection.scales, key=lambda scale: -scale.window):
        for signal in signals.local().values():
            if not signal.trend:
                continue
            for finding in _of_signal(source, signals, signal, end, scale):
                found.setdefault((finding.signal, finding.line), finding)
    ordered = sorted(found.values(), key=lambda item: -abs(item.change.relative))
    return [_explained(finding, ordered, happenings) for finding in ordered]


def _of_signal(source: Source, signals: Signals, signal: Signal, end: float, scale: Scale) -> list[Finding]:
    bucket = scale.bucket
    start, count = end - scale.window, int(scale.window / bucket)
    step = max(signals.detection.scrape_seconds, bucket / 4)
    times = [start + bucket * index for index in range(count)]
    loads = _others(source, signals, signal.load, start, end, step)
    ages = {
        line: buckets(series, start, bucket, count)
        for line, series in _others(source, signals, signal.age, start, end, step).items()
    }
    ramp = ramp_of(bucket, min(other.bucket for other in signals.detection.scales))
    found = []
    for series in source.query_range(signal.query, start, end, step):
        values = _settled(
            buckets(series, start, bucket, count), series.label, ages, signals.detection.warm_up_seconds
        )
        known = sum(value is not None for value in values)
        if known < MIN_BUCKETS:
            continue
        load = loads.get(series.label) or loads.get("")
        demand = None if load is None else buckets(load, start, bucket, count)
        change = detect(
            times, values, demand, signal.worse, ramp, signal.min_change, settles=bool(signal.age)
        )
        if change is None:
            continue
        limit = None if signal.threshold is None else signal.threshold.warning
        hours = None
        if limit is not None and (bounds := change.hours_to(limit)) is not None:
            hours = bounds[0], bounds[1] if math.isfinite(bounds[1]) else None
        found.append(
            Finding(
                signal.name,
                signal.title,
                series.label,
                signal.unit,
                change,
                scale.window,
                limit,
                hours,
                evidence={"buckets": known, "bucket_seconds": bucket, "equal_load": demand is not None},
            )
        )
    return found


def _others(
    source: Source, signals: Signals, name: str, start: float, end: float, step: float
) -> dict[str, TimeSeries]:
    """Return the lines of the load or of the age by label; the key "" is that of all lines."""
    if not name:
        return {}
    other = signals.signals[name]
    found = source.query_range(other.query, start, end, step)
    return {series.label if other.by else "": series for series in found}


def _settled(
    values: Sequence[float | None], line: str, ages: Mapping[str, Sequence[float | None]], warm_up: float
) -> list[float | None]:
    """Return the values, None where the processes of the line are younger than `warm_up` seconds.

    A line without an age of its own, such as the maximum over all roles, has the lowest one.
    """
    found = list(values)
    for age in [ages[line]] if line in ages else ages.values():
        for index, seconds in enumerate(age):
            if seconds is not None and seconds < warm_up:
                found[index] = None
    return found


def _explained(finding: Finding, others: Sequence[Finding], happenings: Sequence[Happening]) -> Finding:
    """Return the finding with the events and the other changes near its onset."""
    bucket = float(finding.evidence["bucket_seconds"])
    onset, near = finding.change.onset, _MOVED_BUCKETS * bucket
    movers = sorted(
        (each for each in happenings if abs(each.at - onset) <= near), key=lambda each: abs(each.at - onset)
    )
    moved = [
        f"{other.title} {other.line}".strip()
        for other in others
        if other is not finding and abs(other.change.onset - onset) <= near
    ]
    return Finding(
        **{
            name: getattr(finding, name)
            for name in ("signal", "title", "line", "unit", "change", "window", "limit", "hours", "evidence")
        },
        movers=tuple(movers),
        with_=tuple(moved),
    )
