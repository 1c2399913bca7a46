"""The signals of the platform as declared in `signals.yaml`, for one stack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Final

import yaml

from infra.settings.service import ObservabilitySettings, Threshold

FILE: Final = Path(__file__).with_name("signals.yaml")


@dataclass(frozen=True, slots=True)
class MonitoredSignal:
    """A measured quantity: title, unit (UCUM), PromQL, and threshold.

    `by` are the labels that distinguish its lines; `policy` states that alert policies are declared for it.
    """

    name: str
    title: str
    unit: str
    query: str
    by: tuple[str, ...] = ()
    threshold: Threshold | None = None
    requirement: str = ""
    policy: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart of a dashboard: its title, and the signal of each legend."""

    title: str
    lines: Mapping[str, MonitoredSignal]

    @property
    def unit(self) -> str:
        """The unit of the first line; lines of one panel share a unit."""
        return next(iter(self.lines.values())).unit

    @property
    def threshold(self) -> Threshold | None:
        """The threshold of the line that has one."""
        return next((line.threshold for line in self.lines.values() if line.threshold), None)


@dataclass(frozen=True, slots=True)
class Signals:
    """Signals by name, dashboards by name, and the share of bad requests of each objective."""

    signals: Mapping[str, MonitoredSignal]
    dashboards: Mapping[str, tuple[Panel, ...]]
    objectives: Mapping[str, str]

    def bad_share(self, objective: str, window: str) -> str:
        """Return PromQL for the share of requests within `window` that violate `objective`."""
        return Template(self.objectives[objective]).substitute(window=window)


@cache
def declared() -> Mapping[str, Any]:
    """Return the content of `signals.yaml`."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content: Mapping[str, Any] = yaml.load(FILE.read_text(), loader)  # noqa: S506  (a safe loader)
    return content


def published(namespace: str, settings: ObservabilitySettings) -> str:
    """Return the declared signals as JSON, the input format of the service's monitor."""
    found, content = signals(namespace, settings), declared()
    objectives = settings.objectives
    return json.dumps(
        {
            "signals": {
                name: {
                    **{key: value for key, value in content["signals"][name].items() if key != "policy"},
                    "name": name,
                    "query": signal.query,
                    "threshold": None if signal.threshold is None else signal.threshold.model_dump(),
                }
                for name, signal in found.signals.items()
            },
            "dashboards": content["dashboards"],
            "objectives": found.objectives,
            "allowed": {
                "availability": 1 - objectives.availability_percent / 100,
                "latency": 1 - objectives.fast_percent / 100,
            },
            "detection": content["detection"],
        },
        indent=1,
    )


def signals(namespace: str, settings: ObservabilitySettings) -> Signals:
    """Return the declared signals with the values of a stack filled in."""
    content = declared()
    # The bound as the service formats it: 1 second is "1.0".
    values = {"namespace": namespace, "fast_seconds": f"{settings.objectives.fast_seconds!s}"}
    thresholds = {
        field.alias or name: getattr(settings.thresholds, name)
        for name, field in type(settings.thresholds).model_fields.items()
    }
    found = {
        name: MonitoredSignal(
            name,
            entry["title"],
            entry["unit"],
            Template(entry["query"]).substitute(values),
            tuple(entry.get("by", ())),
            thresholds[entry["threshold"]] if "threshold" in entry else None,
            entry.get("requirement", ""),
            entry.get("policy", False),
        )
        for name, entry in content["signals"].items()
    }
    return Signals(
        found,
        {
            name: tuple(
                Panel(panel["title"], {legend: found[line] for legend, line in panel["lines"].items()})
                for panel in panels
            )
            for name, panels in content["dashboards"].items()
        },
        {name: Template(query).safe_substitute(values) for name, query in content["objectives"].items()},
    )
