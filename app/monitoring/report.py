"""A report of a period as plain data and as one self-contained HTML file without scripts."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any, Final

from app.monitoring.findings import Finding, Happening, findings
from app.monitoring.objectives import Budget, budgets
from app.monitoring.signals import Signals
from app.monitoring.source import Source, TimeSeries

_POINTS: Final = 240
_MIN_STEP: Final = 15.0
_MAX_LINES: Final = 6
_WIDTH, _HEIGHT = 560, 120
_COLORS: Final = ("#0969da", "#cf222e", "#1a7f37", "#9a6700", "#8250df", "#0a7b83")
_BUSINESS: Final = (
    "accounts-created",
    "contents-created",
    "contents-viewed",
    "orders",
    "revenue",
    "payments",
)
_STYLE: Final = """
:root{--text:#1b1f24;--muted:#57606a;--back:#fff;--line:#d0d7de}
@media(prefers-color-scheme:dark){:root{--text:#e6edf3;--muted:#9ea7b3;--back:#0d1117;--line:#30363d}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--text);background:var(--back)}
body{max-width:1180px;margin:0 auto;padding:16px}
table{border-collapse:collapse;width:100%;font-size:13px;margin:0 0 16px}
th,td{text-align:left;padding:3px 10px 3px 0;border-bottom:1px solid var(--line);vertical-align:top}
.plots{display:grid;gap:16px;grid-template-columns:repeat(auto-fill,minmax(min(100%,480px),1fr))}
figure{margin:0;break-inside:avoid}svg{width:100%;height:auto;border:1px solid var(--line)}
figcaption{font-size:13px;color:var(--muted)}body{overflow-wrap:anywhere}pre{overflow-x:auto;font-size:12px}
"""


@dataclass(frozen=True)
class Line:
    """One line of a plot."""

    name: str
    times: list[float]
    values: list[float]


@dataclass(frozen=True)
class Plot:
    """A plot with its unit."""

    title: str
    unit: str
    lines: list[Line]


@dataclass(frozen=True)
class MonitoringReport:
    """The content of a report on a period, from `start` to `end` in seconds since 1970."""

    stack: str
    start: float
    end: float
    budgets: list[Budget]
    findings: list[Finding]
    happenings: list[Happening]
    capacity: dict[str, Any]
    business: dict[str, float]
    plots: list[Plot]
    cost: str = ""
    recommendations: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {**asdict(self), "findings": [finding.to_json() for finding in self.findings]}


def build(
    source: Source,
    signals: Signals,
    stack: str,
    end: float,
    seconds: float,
    happenings: Sequence[Happening] = (),
    *,
    cluster: bool = False,
    **more: Any,
) -> MonitoringReport:
    """Build the report of the `seconds` before `end`.

    `cluster` adds the plots of Google Cloud's metrics. Raises SourceError.
    """
    step = _MIN_STEP * max(1, math.ceil(seconds / _POINTS / _MIN_STEP))
    start = end - seconds

    def read(name: str) -> list[TimeSeries]:
        return source.query_range(signals.signals[name].query, start, end, step)

    plots = []
    for panels in signals.dashboards.values():
        for panel in panels:
            lines = [
                Line(" ".join(part for part in (legend, series.label) if part), series.times, series.values)
                for legend, name in panel.lines.items()
                if cluster or signals.signals[name].only != "cluster"
                for series in read(name)
            ]
            lines.sort(key=lambda line: -max(line.values))
            if lines:
                unit = signals.signals[next(iter(panel.lines.values()))].unit
                plots.append(Plot(panel.title, unit, lines[:_MAX_LINES]))
    rate = [value for series in read("requests") for value in series.values]
    maximum = {series.label: max(series.values) for series in read("max-replicas")}
    return MonitoringReport(
        stack,
        start,
        end,
        budgets(source, signals, end, seconds, step),
        findings(source, signals, end, happenings),
        [each for each in happenings if each.at >= start],
        {
            "peak_requests_per_second": max(rate, default=0.0),
            "replicas": {
                series.label: {"highest": max(series.values), "maximum": maximum.get(series.label)}
                for series in read("replicas")
            },
        },
        {name: _total(read(name), step) for name in _BUSINESS if name in signals.signals},
        plots,
        **more,
    )


def _total(found: Sequence[TimeSeries], step: float) -> float:
    """Return the total over a period of signals whose value is a count of one hour."""
    return sum(math.fsum(series.values) * step / 3600 for series in found)


def render(report: MonitoringReport) -> str:
    """Return the report as HTML."""
    title = f"{report.stack}: {_moment(report.start)} to {_moment(report.end)}"
    budget = _table(
        ("objective", "allowed", "violated", "budget used"),
        [
            (item.objective, _percent(item.allowed), _percent(item.share), _percent(item.used))
            for item in report.budgets
        ],
    )
    found = _table(
        ("since", "finding", "at the same time"),
        [
            (
                _moment(item.change.onset),
                item.text,
                "; ".join([*(mover.title for mover in item.movers), *item.with_]),
            )
            for item in report.findings
        ],
    )
    replicas: Mapping[str, Mapping[str, float | None]] = report.capacity["replicas"]
    capacity = _table(
        ("role", "highest replicas", "maximum"),
        [(name, _number(item["highest"]), _number(item["maximum"])) for name, item in replicas.items()],
    )
    peak: float = report.capacity["peak_requests_per_second"]
    business = _table(
        ("figure", "in the period"), [(name, _number(value)) for name, value in report.business.items()]
    )
    happened = _table(
        ("time", "kind", "what", "changes"),
        [(_moment(item.at), item.kind, item.title, ", ".join(item.changes)) for item in report.happenings],
    )
    advice = "".join(
        f"<h3>{escape(str(item['rule']))}: {escape(str(item['finding']))}</h3>"
        f"<p>{escape(str(item['risk']))} {escape(str(item['undo']))}</p>"
        f"<pre>{escape(str(item['patch'] or item.get('instead', '')))}</pre>"
        for item in report.recommendations
    )
    parts = [
        ("Objectives", budget),
        ("Findings", found if report.findings else "<p>No degradation was found.</p>"),
        ("Recommendations", advice or "<p>None.</p>"),
        (
            "Capacity",
            f"<p>Peak: {_number(peak)} requests a second.</p>{capacity}",
        ),
        ("Cost", f"<p>{escape(report.cost or 'not planned')}</p>"),
        ("Business", business),
        ("Events", happened if report.happenings else "<p>None.</p>"),
        ("Problems of the recording", "".join(f"<p>{escape(text)}</p>" for text in report.problems)),
        ("Plots", f'<div class="plots">{"".join(map(_plot, report.plots))}</div>'),
    ]
    body = "".join(f"<section><h2>{name}</h2>{text}</section>" for name, text in parts if text)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def _plot(plot: Plot) -> str:
    times = [at for line in plot.lines for at in line.times]
    values = [value for line in plot.lines for value in line.values]
    first, last = min(times), max(times)
    low, high = min(0.0, *values), max(values)
    span, size = max(last - first, 1.0), (high - low) or 1.0
    lines = []
    for index, line in enumerate(plot.lines):
        points = " ".join(
            f"{_WIDTH * (at - first) / span:.1f},{_HEIGHT - _HEIGHT * (value - low) / size:.1f}"
            for at, value in zip(line.times, line.values, strict=True)
        )
        color = _COLORS[index % len(_COLORS)]
        lines.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>')
    names = ", ".join(
        f'<span style="color:{_COLORS[index % len(_COLORS)]}">■</span> {escape(line.name or plot.title)}:'
        f" last {_number(line.values[-1])}, maximum {_number(max(line.values))}"
        for index, line in enumerate(plot.lines)
    )
    text = escape(f"{plot.title}, {_number(low)} to {_number(high)} {plot.unit}")
    return (
        f"<figure><h3>{escape(plot.title)} ({escape(plot.unit)})</h3>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{text}">{"".join(lines)}</svg>'
        f"<figcaption>{names}</figcaption></figure>"
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))


def _percent(share: float | None) -> str:
    return "no requests" if share is None else f"{100 * share:.3g} %"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
