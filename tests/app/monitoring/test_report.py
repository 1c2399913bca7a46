"""Reports: complete as data, and as one HTML file without external references."""

from __future__ import annotations

import json
import re

from app.monitoring.findings import Happening
from app.monitoring.report import build, render
from app.monitoring.signals import Panel, Signal, Signals
from app.monitoring.source import TimeSeries

NAMES = ("requests", "replicas", "max-replicas", "orders", "response")
SIGNALS = Signals(
    {name: Signal(name, name, "1/s", name, worse="above", trend=name == "response") for name in NAMES},
    {"application": (Panel("Requests <all>", {"total": "requests"}), Panel("Nothing", {"": "absent"}))},
    {},
    {},
)
SIGNALS.signals["absent"] = Signal("absent", "Absent", "1", "absent")


class Given:
    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        times = [start + step * index for index in range(int((end - start) / step) + 1)]
        value = {"requests": 12.0, "replicas": 3.0, "max-replicas": 4.0, "orders": 60.0}.get(query)
        if query == "response":
            return [TimeSeries({}, times, [0.1 if at < 28_000 else 0.3 for at in times])]
        labels = {"hpa": "api"} if "replicas" in query else {}
        return [] if value is None else [TimeSeries(labels, times, [value] * len(times))]


REPORT = build(
    Given(), SIGNALS, "local", 36_000.0, 36_000.0, [Happening(28_100.0, "deployment", "api <new>")],
    cost="10 USD a month",
    recommendations=[{"rule": "memory", "finding": "f", "risk": "r", "undo": "u", "patch": "--- a\n+++ b"}],
    problems=["the clock <moved>"],
)  # fmt: skip


def test_report_has_findings_with_their_cause_capacity_and_business() -> None:
    data = json.loads(json.dumps(REPORT.to_json()))
    (finding,) = data["findings"]
    assert finding["movers"][0]["title"] == "api <new>"
    assert data["capacity"] == {
        "peak_requests_per_second": 12.0, "replicas": {"api": {"highest": 3.0, "maximum": 4.0}},
    }  # fmt: skip
    # Sixty orders an hour over ten hours.
    assert abs(data["business"]["orders"] - 600) < 10
    assert [plot["title"] for plot in data["plots"]] == ["Requests <all>"]


def test_the_page_is_self_contained_and_escaped() -> None:
    text = render(REPORT)
    assert not re.search(r"<script|<link|https?://|url\(|@import", text)
    assert "<new>" not in text
    assert "<moved>" not in text
    for expected in ("Objectives", "api &lt;new&gt;", "10 USD a month", "+++ b", "<svg", "polyline"):
        assert expected in text


def test_metrics_of_google_cloud_are_plotted_where_they_exist() -> None:
    node = Signal("node-cpu", "CPU of nodes", "%", "requests", only="cluster")
    panel = Panel("CPU of nodes", {"": "node-cpu"})
    signals = Signals({**SIGNALS.signals, "node-cpu": node}, {"system": (panel,)}, {}, {})
    assert build(Given(), signals, "local", 36_000.0, 3600.0).plots == []
    (plot,) = build(Given(), signals, "prod", 36_000.0, 3600.0, cluster=True).plots
    assert plot.title == "CPU of nodes"
