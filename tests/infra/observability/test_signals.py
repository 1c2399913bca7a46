"""Signals are declared once; alert policies, SLOs and dashboards use their queries and thresholds."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from infra.observability.signals import FILE, Signals, declared, signals
from infra.settings.loader import parse
from tests.infra.rehearsal import ROOT, Declared, configuration, strings


@pytest.fixture(scope="module")
def prod_signals() -> Signals:
    settings = parse("prod", configuration("prod"))
    return signals(settings.workload.namespace, settings.observability)


def test_no_placeholder_is_left(prod_signals: Signals) -> None:
    assert not [name for name, signal in prod_signals.signals.items() if "$" in signal.query]
    assert "$" not in prod_signals.bad_share("latency", "1h")


def test_every_alert_policy_of_a_threshold_is_a_declared_signal(
    prod: Declared, prod_signals: Signals
) -> None:
    expected = {
        f"{signal.query} > {limit:g}"
        for signal in prod_signals.signals.values()
        if signal.policy and signal.threshold
        for limit in (signal.threshold.warning, signal.threshold.critical)
    }
    found = {
        text
        for name, policy in prod.of("AlertPolicy").items()
        if re.fullmatch(r"observability-alr\d-(warning|critical)", name)
        for text in strings(policy["conditions"])
        if " > " in text
    }
    assert len(expected) == 8
    assert found == expected


def test_every_query_of_a_dashboard_is_a_declared_signal(prod: Declared, prod_signals: Signals) -> None:
    known = {signal.query for signal in prod_signals.signals.values()}
    tiles: list[Any] = [
        tile
        for dashboard in prod.of("Dashboard").values()
        for tile in json.loads(dashboard["dashboardJson"])["mosaicLayout"]["tiles"]
    ]
    queries = {
        data["timeSeriesQuery"]["prometheusQuery"]
        for tile in tiles
        for data in tile["widget"]["xyChart"]["dataSets"]
    }
    assert queries
    assert queries <= known


def test_queries_are_declared_in_one_place_only() -> None:
    others = [path for path in (ROOT / "infra").rglob("*.py") if "kingdom_http_request" in path.read_text()]
    assert not others
    assert "kingdom_http_request_seconds" in FILE.read_text()


def test_signals_refer_to_declared_signals_only() -> None:
    content = declared()
    names = set(content["signals"])
    for key in ("load", "age"):
        assert {entry[key] for entry in content["signals"].values() if key in entry} <= names
    for panels in content["dashboards"].values():
        for panel in panels:
            assert set(panel["lines"].values()) <= names


def test_signals_with_a_trend_state_which_direction_is_worse() -> None:
    for name, entry in declared()["signals"].items():
        assert entry.get("worse") in {"above", "below", None}, name
        if entry.get("trend") or "threshold" in entry:
            assert "worse" in entry, name
        assert bool(entry.get("trend")) is ("min_change" in entry), name


@pytest.mark.parametrize("requirement", ["ALR1", "ALR2", "ALR3", "ALR4", "ALR5"])
def test_each_alert_requirement_has_one_signal(requirement: str, prod_signals: Signals) -> None:
    found = [each for each in prod_signals.signals.values() if each.requirement == requirement]
    assert len(found) == 1
    assert found[0].threshold is not None
