"""Alerts, dashboards and SLOs use the same thresholds, and only exported metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from app.telemetry.http_metrics import BOUNDS
from infra.settings.loader import parse
from tests.infra.rehearsal import ROOT, Declared, configuration, strings

SUFFIXES = ("_bucket", "_count", "_sum", "_total")


def exported() -> str:
    """The text of everything that may export a metric."""
    return "\n".join(path.read_text() for path in Path(ROOT, "app").rglob("*.py"))


def queries(declared: Declared) -> Iterator[str]:
    for dashboard in declared.of("Dashboard").values():
        yield from strings(json.loads(dashboard["dashboardJson"]))
    for policy in declared.of("AlertPolicy").values():
        yield from strings(policy["conditions"])


def test_dashboards_and_alerts_ask_only_for_what_the_service_exports(prod: Declared) -> None:
    text = exported()
    asked = {name for query in queries(prod) for name in re.findall(r"\bkingdom_\w+", query)}
    assert asked
    for name in asked:
        bases = [name, *(name.removesuffix(suffix) for suffix in SUFFIXES)]
        assert any(f'"{base}"' in text for base in bases), name


def test_what_is_fast_is_a_bound_of_the_histogram(declared: Declared) -> None:
    settings = parse(declared.stack, configuration(declared.stack)).observability.objectives
    assert settings.fast_seconds in BOUNDS
    assert any(f'le="{settings.fast_seconds}"' in query for query in queries(declared))


def test_logs_are_retained_for_the_configured_days(declared: Declared) -> None:
    wanted = configuration(declared.stack)["kingdom:observability"]["logDays"]
    assert declared.one("ProjectBucketConfig")["retentionDays"] == wanted


def test_notices_pages_and_tickets_go_to_their_own_addresses(declared: Declared) -> None:
    settings = configuration(declared.stack)["kingdom:observability"]
    addresses = {
        name.rpartition("-")[2]: channel["labels"]["email_address"]
        for name, channel in declared.of("NotificationChannel").items()
    }
    assert addresses == {
        "critical": settings["page"],
        "warning": settings["ticket"],
        "info": settings["info"],
    }


def test_dashboards_cover_system_application_and_business(declared: Declared) -> None:
    assert set(declared.of("Dashboard")) == {
        f"observability-dashboards-{key}" for key in ("system", "application", "business")
    }


def test_objectives_are_declared_as_the_settings_say(declared: Declared) -> None:
    settings = configuration(declared.stack)["kingdom:observability"]["objectives"]
    goals = {item["sloId"]: item["goal"] * 100 for item in declared.of("Slo").values()}
    assert abs(goals["availability"] - settings["availabilityPercent"]) < 1e-6
    assert abs(goals["latency"] - settings["fastPercent"]) < 1e-6
