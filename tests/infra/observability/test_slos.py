"""Objectives for availability and latency, and alerts when their error budgets burn."""

from __future__ import annotations

from fractions import Fraction

import pytest

from infra.observability.notification_channels import Severity
from infra.observability.signals import Signals, signals
from infra.observability.slos import BURNS, DAYS, objectives
from infra.settings.loader import parse
from infra.settings.service import ObjectiveSettings
from tests.infra.rehearsal import Declared, configuration
from tests.support.promql import result, series

MINUTES = {"m": 1, "h": 60, "d": 1440}


def minutes(window: str) -> int:
    return int(window[:-1]) * MINUTES[window[-1]]


def of_prod() -> tuple[ObjectiveSettings, Signals]:
    settings = parse("prod", configuration("prod"))
    return settings.observability.objectives, signals(settings.workload.namespace, settings.observability)


def test_objectives_are_declared_as_the_settings_say(declared: Declared) -> None:
    settings = configuration(declared.stack)["kingdom:observability"]["objectives"]
    goals = {item["sloId"]: item["goal"] * 100 for item in declared.of("Slo").values()}
    assert abs(goals["availability"] - settings["availabilityPercent"]) < 1e-6
    assert abs(goals["latency"] - settings["fastPercent"]) < 1e-6


@pytest.mark.parametrize(
    ("severity", "shares"),
    [(Severity.CRITICAL, (0.02, 0.05)), (Severity.WARNING, (0.10, 0.10))],
)
def test_an_alert_fires_once_a_share_of_the_budget_is_spent_in_its_window(
    severity: Severity, shares: tuple[float, ...]
) -> None:
    # https://sre.google/workbook/alerting-on-slos/, table 5-8
    spent = [Fraction(str(factor)) * minutes(long) / (DAYS * 1440) for long, _, factor in BURNS[severity]]
    assert tuple(map(float, spent)) == shares


def test_the_short_window_is_a_twelfth_of_the_long_one_or_less() -> None:
    for windows in BURNS.values():
        for long, short, _ in windows:
            assert minutes(short) * 12 <= minutes(long)


def test_the_allowed_share_is_the_rest_of_the_objective() -> None:
    settings, declared = of_prod()
    assert {name: allowed for name, _, allowed in objectives(settings, declared)} == {
        "availability": 0.001,
        "latency": 0.05,
    }


def test_goals_follow_the_settings(varied: Declared) -> None:
    assert {item["sloId"]: item["goal"] for item in varied.of("Slo").values()} == {
        "availability": 0.995,
        "latency": 0.9,
    }
    text = burn(varied, "availability", "critical")
    assert f"> {14.4 * 0.005:g} and" in text


def test_a_fast_request_is_within_the_configured_time(prod: Declared) -> None:
    seconds = configuration("prod")["kingdom:observability"]["objectives"]["fastSeconds"]
    cut = prod.one("Slo", "observability-objectives-latency")["requestBasedSli"]["distributionCut"]
    assert cut["range"] == {"min": 0, "max": seconds * 1000}
    bad = prod.one("Slo", "observability-objectives-availability")["requestBasedSli"]["goodTotalRatio"]
    assert bad["badServiceFilter"].startswith(bad["totalServiceFilter"])
    assert bad["badServiceFilter"].endswith('response_code_class="500"')


def burn(declared: Declared, objective: str, severity: str) -> str:
    """The query of a burn-rate alert."""
    policy = declared.one("AlertPolicy", f"observability-objectives-{objective}-burn-{severity}")
    text: str = policy["conditions"][0]["conditionPrometheusQueryLanguage"]["query"]
    return text


def fires(text: str, failing_percent: float) -> bool:
    """Whether an alert fires when this share of requests has failed for two hours."""
    name = "kingdom_http_request_seconds_count"
    good = series(name, 0, 1000 - 10 * failing_percent, status="200")
    bad = series(name, 0, 10 * failing_percent, status="503")
    return bool(result(text, [good, bad]))


# 14.4 and 6 times 0.1 % in two windows page; once and three times 0.1 % open a ticket.
@pytest.mark.parametrize(
    ("percent", "page", "ticket"),
    [(0.05, False, False), (0.2, False, True), (0.5, False, True), (0.7, True, True), (2.0, True, True)],
)
def test_failing_requests_page_above_six_times_the_allowed_share(
    prod: Declared, percent: float, page: bool, ticket: bool
) -> None:
    assert fires(burn(prod, "availability", "critical"), percent) is page
    assert fires(burn(prod, "availability", "warning"), percent) is ticket


def test_each_objective_pages_and_opens_tickets_without_further_delay(prod: Declared) -> None:
    for objective in ("availability", "latency"):
        for severity in ("critical", "warning"):
            policy = prod.one("AlertPolicy", f"observability-objectives-{objective}-burn-{severity}")
            condition = policy["conditions"][0]["conditionPrometheusQueryLanguage"]
            assert condition["duration"] == "0s"
            assert policy["userLabels"]["severity"] == severity
            assert policy["userLabels"]["slo"] == objective
