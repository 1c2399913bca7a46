"""Signals with their queries and thresholds filled in, as the monitor and the dashboard use them.

They are declared in `infra/observability/signals.yaml`; the pods of the `monitor` role get them as a mounted
JSON file, which Kubernetes updates under a running pod.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Template
from typing import Any, Final

import msgspec

from app.monitoring.trends import MIN_BUCKETS


class SignalsError(Exception):
    """The declared signals are invalid; the text states which and why."""


class Limits(msgspec.Struct, frozen=True):
    """The warning and the critical value of a signal, in its unit."""

    warning: float
    critical: float


class Signal(msgspec.Struct, frozen=True):
    """A measured quantity; the fields are described in `infra/observability/signals.yaml`."""

    name: str
    title: str
    unit: str
    query: str
    by: tuple[str, ...] = ()
    worse: str = ""
    threshold: Limits | None = None
    requirement: str = ""
    trend: bool = False
    load: str = ""
    age: str = ""
    min_change: float = 0.0
    only: str = ""


class Panel(msgspec.Struct, frozen=True):
    """A chart: the signal of each legend, and the tab of the local dashboard that contains it."""

    title: str
    lines: dict[str, str]
    section: str = ""


class Scale(msgspec.Struct, frozen=True):
    """A window before the present, divided into buckets; both in seconds."""

    window: float
    bucket: float


class Detection(msgspec.Struct, frozen=True):
    """Settings of detection on one machine, and the scales of trends and shifts.

    `scrape_seconds` are between scrapes, `examine_seconds` between examinations. An alert begins
    `fire_seconds` after its threshold was crossed and ends `recover_seconds` after the value was back. A
    recommendation requires a history of `history_seconds`. Values of signals with an `age` are not compared
    in the `warm_up_seconds` after a start.
    """

    scrape_seconds: float = 15.0
    examine_seconds: float = 300.0
    fire_seconds: float = 300.0
    recover_seconds: float = 120.0
    history_seconds: float = 10_800.0
    warm_up_seconds: float = 900.0
    scales: tuple[Scale, ...] = (Scale(36_000.0, 300.0), Scale(3600.0, 60.0))

    @property
    def window(self) -> float:
        """Return the longest window."""
        return max(scale.window for scale in self.scales)


class Signals(msgspec.Struct, frozen=True):
    """Signals and dashboards by name, queries and allowed shares of objectives, and detection settings."""

    signals: dict[str, Signal]
    dashboards: dict[str, tuple[Panel, ...]]
    objectives: dict[str, str]
    allowed: dict[str, float]
    detection: Detection = Detection()

    def bad_share(self, objective: str, window: str) -> str:
        """Return PromQL for the share of requests within `window` that violate `objective`."""
        return Template(self.objectives[objective]).substitute(window=window)

    def local(self) -> dict[str, Signal]:
        """Return the signals that can be measured on one machine."""
        return {name: signal for name, signal in self.signals.items() if signal.only != "cluster"}


_NOT_USED: Final = ("policy",)  # of Cloud Monitoring only


def resolve(content: Mapping[str, Any], namespace: str, observability: Mapping[str, Any]) -> Signals:
    """Fill `content` (of signals.yaml) with a namespace and a stack's ``kingdom:observability`` section.

    Raises SignalsError.
    """
    objectives = observability["objectives"]
    values = {"namespace": namespace, "fast_seconds": f"{float(objectives['fastSeconds'])!s}"}
    try:
        signals = {
            name: {
                **{key: value for key, value in entry.items() if key not in _NOT_USED},
                "name": name,
                "query": Template(entry["query"]).substitute(values),
                "threshold": observability["thresholds"][entry["threshold"]]
                if "threshold" in entry
                else None,
            }
            for name, entry in content["signals"].items()
        }
        return decode(
            {
                "signals": signals,
                "dashboards": content["dashboards"],
                "objectives": {
                    name: Template(query).safe_substitute(values)
                    for name, query in content["objectives"].items()
                },
                "allowed": {
                    "availability": 1 - float(objectives["availabilityPercent"]) / 100,
                    "latency": 1 - float(objectives["fastPercent"]) / 100,
                },
                "detection": content["detection"],
            }
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise SignalsError(f"signals.yaml or kingdom:observability cannot be used: {error!r}") from error


def decode(content: Any) -> Signals:
    """Decode the signals from plain data or JSON. Raises SignalsError."""
    try:
        found = (
            msgspec.json.decode(content, type=Signals)
            if isinstance(content, bytes)
            else msgspec.convert(content, Signals)
        )
    except msgspec.ValidationError as error:
        raise SignalsError(f"the declared signals cannot be used: {error}") from error
    for signal in found.signals.values():
        limits = signal.threshold
        if limits is not None and not 0 < limits.warning < limits.critical:
            raise SignalsError(
                f"signal {signal.name}: warning {limits.warning:g} must be above 0 and below critical"
                f" {limits.critical:g}"
            )
        for key, other in (("load", signal.load), ("age", signal.age)):
            if other and other not in found.signals:
                raise SignalsError(f"signal {signal.name}: {key} {other!r} is not a declared signal")
        if not signal.min_change >= 0:
            raise SignalsError(f"signal {signal.name}: min_change {signal.min_change:g} must be 0 or more")
    _check(found.detection)
    for panels in found.dashboards.values():
        for panel in panels:
            for line in panel.lines.values():
                if line not in found.signals:
                    raise SignalsError(f"panel {panel.title!r}: {line!r} is not a declared signal")
    return found


def _check(detection: Detection) -> None:
    """Raise SignalsError unless every scale has enough buckets, with a value in each."""
    if detection.scrape_seconds < 1 or detection.examine_seconds < detection.scrape_seconds:
        raise SignalsError(
            f"detection: scrape_seconds {detection.scrape_seconds:g} must be 1 or more, and examine_seconds"
            f" {detection.examine_seconds:g} not less than it"
        )
    if min(detection.fire_seconds, detection.recover_seconds, detection.warm_up_seconds) < 0:
        raise SignalsError("detection: fire_seconds, recover_seconds and warm_up_seconds must be 0 or more")
    if detection.history_seconds < MIN_BUCKETS * detection.scrape_seconds:
        raise SignalsError(
            f"detection: history_seconds {detection.history_seconds:g} must be {MIN_BUCKETS} times"
            f" scrape_seconds {detection.scrape_seconds:g} or more"
        )
    if not detection.scales:
        raise SignalsError("detection: scales is empty; name at least one window with its bucket")
    for scale in detection.scales:
        if scale.bucket < detection.scrape_seconds or scale.window < MIN_BUCKETS * scale.bucket:
            raise SignalsError(
                f"detection: a window of {scale.window:g} s with buckets of {scale.bucket:g} s must have"
                f" {MIN_BUCKETS} buckets or more, each not shorter than scrape_seconds"
                f" {detection.scrape_seconds:g}"
            )
