"""Queries of exported metrics only, the uptime check, and alerts on thresholds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.telemetry.http_metrics import BOUNDS
from infra.settings.loader import parse
from tests.infra.rehearsal import ROOT, Declared, configuration, strings
from tests.support.promql import result, series

SUFFIXES = ("_bucket", "_count", "_sum", "_total")


def exported() -> str:
    """The text of everything that may export a metric."""
    return "\n".join(path.read_text() for path in Path(ROOT, "app").rglob("*.py"))


def queries(declared: Declared) -> Iterator[str]:
    for dashboard in declared.of("Dashboard").values():
        yield from strings(json.loads(dashboard["dashboardJson"]))
    for policy in declared.of("AlertPolicy").values():
        yield from strings(policy["conditions"])


def test_dashboards_and_alerts_query_exported_metrics_only(prod: Declared) -> None:
    text = exported()
    asked = {name for query in queries(prod) for name in re.findall(r"\bkingdom_\w+", query)}
    assert asked
    for name in asked:
        bases = [name, *(name.removesuffix(suffix) for suffix in SUFFIXES)]
        assert any(f'"{base}"' in text for base in bases), name


def test_latency_objective_is_a_bound_of_the_histogram(declared: Declared) -> None:
    settings = parse(declared.stack, configuration(declared.stack)).observability.objectives
    assert settings.fast_seconds in BOUNDS
    assert any(f'le="{settings.fast_seconds}"' in query for query in queries(declared))


def test_the_uptime_check_calls_the_public_url_from_three_continents(declared: Declared) -> None:
    edge, check = configuration(declared.stack)["kingdom:edge"], declared.one("UptimeCheckConfig")
    assert check["monitoredResource"]["labels"]["host"] == edge["hostname"]
    assert (check["httpCheck"]["path"], check["httpCheck"]["port"]) == (edge["monitorPath"], edge["port"])
    assert len(check["selectedRegions"]) == 3
    assert int(check["timeout"].removesuffix("s")) < int(check["period"].removesuffix("s"))


@pytest.mark.parametrize(
    ("passed", "fires"), [((1, 1, 1), 0), ((0, 1, 1), 0), ((0, 0, 1), 1), ((0, 0, 0), 1)]
)
def test_the_platform_is_unreachable_when_half_of_the_regions_fail(
    prod: Declared, passed: tuple[float, ...], fires: int
) -> None:
    condition = prod.one("AlertPolicy", "observability-down")["conditions"][0]
    text = condition["conditionPrometheusQueryLanguage"]["query"]
    samples = [
        series(
            "monitoring_googleapis_com:uptime_check_check_passed",
            value,
            monitored_resource="uptime_url",
            host=configuration("prod")["kingdom:edge"]["hostname"],
            checker_location=str(region),
        )
        for region, value in enumerate(passed)
    ]
    assert len(result(text, samples)) == fires


def test_an_alert_of_a_signal_has_its_threshold_in_the_title(prod: Declared) -> None:
    thresholds = configuration("prod")["kingdom:observability"]["thresholds"]["cpuPercent"]
    for severity in ("warning", "critical"):
        policy = prod.one("AlertPolicy", f"observability-alr1-{severity}")
        assert policy["conditions"][0]["displayName"].endswith(f"above {thresholds[severity]:g}")
        assert policy["userLabels"]["requirement"] == "alr1"
