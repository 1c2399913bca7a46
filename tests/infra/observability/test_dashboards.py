"""Dashboards: their panels, and how lines and thresholds are drawn."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.observability.dashboards import COLUMNS, chart, dashboard
from infra.observability.signals import MonitoredSignal, Panel, declared
from infra.settings.service import Threshold
from tests.infra.rehearsal import Declared

LIMITS = Threshold(warning=80, critical=90)


def signal(name: str, *by: str, threshold: Threshold | None = None) -> MonitoredSignal:
    return MonitoredSignal(name, name.title(), "%", f"avg({name})", by, threshold)


def panels(count: int) -> list[Panel]:
    return [Panel(f"Panel {number}", {"": signal("cpu")}) for number in range(count)]


def test_dashboards_cover_system_application_and_business(declared: Declared) -> None:
    assert set(declared.of("Dashboard")) == {
        f"observability-dashboards-{key}" for key in ("system", "application", "business")
    }


def test_each_declared_panel_is_on_its_dashboard(prod: Declared) -> None:
    for key, expected in declared()["dashboards"].items():
        found = json.loads(prod.one("Dashboard", f"observability-dashboards-{key}")["dashboardJson"])
        titles = [tile["widget"]["title"] for tile in found["mosaicLayout"]["tiles"]]
        assert titles == [panel["title"] for panel in expected]
        assert found["displayName"] == f"Kingdom prod: {key}"


@pytest.mark.parametrize("count", [1, 2, 5])
def test_two_tiles_share_a_row_and_none_overlap(count: int) -> None:
    tiles: list[dict[str, Any]] = dashboard("A", {}, panels(count))["mosaicLayout"]["tiles"]
    assert len(tiles) == count
    cells = {(tile["xPos"], tile["yPos"]) for tile in tiles}
    assert len(cells) == count
    assert all(tile["xPos"] + tile["width"] <= COLUMNS for tile in tiles)
    assert {x for x, _ in cells} == {0, COLUMNS // 2} if count > 1 else {0}
    assert len({y for _, y in cells}) == -(-count // 2)
    assert all(y % tiles[0]["height"] == 0 for _, y in cells)


def test_thresholds_are_drawn_where_a_line_has_them() -> None:
    found = chart(Panel("CPU", {"now": signal("cpu"), "limit": signal("cpu", threshold=LIMITS)}))
    assert [(each["label"], each["value"], each["color"]) for each in found["thresholds"]] == [
        ("warning", 80, "YELLOW"),
        ("critical", 90, "RED"),
    ]
    assert chart(Panel("CPU", {"": signal("cpu")}))["thresholds"] == []


def test_a_line_is_named_by_its_legend_unless_its_labels_distinguish_several() -> None:
    found = chart(Panel("CPU", {"all": signal("cpu"), "each": signal("cpu", "pod"), "": signal("memory")}))
    assert [data.get("legendTemplate") for data in found["dataSets"]] == ["all", None, None]
    assert [data["timeSeriesQuery"]["prometheusQuery"] for data in found["dataSets"]] == [
        "avg(cpu)",
        "avg(cpu)",
        "avg(memory)",
    ]
