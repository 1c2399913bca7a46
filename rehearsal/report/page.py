"""One HTML file with plots over a common time axis: uPlot inlined, data compressed, a table per plot."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Final

from rehearsal.report.table import html_table

_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True)
class Series:
    """Values of one line of a plot; None where no value was measured."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Limit:
    """A horizontal line: a target or a bound."""

    name: str
    value: float


@dataclass(frozen=True)
class Plot:
    """A plot over the seconds of the page's time axis. ``unit`` is appended to every value."""

    title: str
    unit: str
    series: Sequence[Series]
    limits: Sequence[Limit] = ()


@dataclass(frozen=True)
class Marker:
    """An event at a second, drawn into every plot and listed below them."""

    at: float
    text: str


@dataclass(frozen=True)
class TableBlock:
    """A table. ``failed`` are the indexes of highlighted rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    failed: Sequence[int] = ()


@dataclass(frozen=True)
class Page:
    """A report. ``result`` is one line; ``passed`` determines its color (None: neutral)."""

    title: str
    result: str
    passed: bool | None
    facts: Sequence[tuple[str, str]]
    tables: Sequence[TableBlock]
    seconds: Sequence[float]
    plots: Sequence[Plot]
    markers: Sequence[Marker] = ()
    notes: Sequence[str] = field(default_factory=tuple)
    axis: tuple[str, str] = ("second", "s")


def render(page: Page) -> str:
    """Return the report as HTML."""
    data = {
        "axis": list(page.axis),
        "seconds": list(page.seconds),
        "plots": [
            {
                "title": plot.title,
                "unit": plot.unit,
                "series": [{"name": each.name, "values": _rounded(each.values)} for each in plot.series],
                "limits": [{"name": each.name, "value": each.value} for each in plot.limits],
            }
            for plot in page.plots
        ],
        "markers": [{"at": each.at, "text": each.text} for each in page.markers],
    }
    status = {True: "passed", False: "failed", None: "neutral"}[page.passed]
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in page.facts)
    markers = TableBlock(
        "Events", (page.axis[0], "event"), [(f"{each.at:.0f}", each.text) for each in page.markers]
    )
    tables = "".join(_table(each) for each in page.tables)
    parts = {
        "TITLE": escape(page.title),
        "STATUS": status,
        "RESULT": escape(page.result),
        "FACTS": facts,
        "TABLES": tables,
        "EVENTS": _table(markers) if page.markers else "",
        "NOTES": "".join(f"<p>{escape(note)}</p>" for note in page.notes),
        "STYLE": (_FOLDER / "uplot" / "uPlot.min.css").read_text() + (_FOLDER / "page.css").read_text(),
        "UPLOT": (_FOLDER / "uplot" / "uPlot.iife.min.js").read_text(),
        "SCRIPT": (_FOLDER / "page.js").read_text(),
        "DATA": base64.b64encode(gzip.compress(json.dumps(data).encode(), mtime=0)).decode(),
    }
    text = (_FOLDER / "page.html").read_text()
    for name, value in parts.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else float(f"{value:.6g}") for value in values]


def _table(block: TableBlock) -> str:
    title = escape(block.title)
    classes = ["bad" if index in block.failed else "" for index in range(len(block.rows))]
    return (
        f'<h2>{title}</h2><div class="wide" tabindex="0" role="region" aria-label="{title}">'
        f"{html_table(block.columns, block.rows, classes)}</div>"
    )


def data_of(html: str) -> dict[str, Any]:
    """Return the data of a rendered page, for tests and tools that read reports."""
    packed = html.partition('id="data">')[2].partition("</script>")[0]
    found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed)))
    return found
