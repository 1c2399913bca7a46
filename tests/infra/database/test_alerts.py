"""Alerts of Atlas: recipients by severity, and thresholds that precede an outage."""

from __future__ import annotations

from infra.database.alerts import CERTIFICATE_DAYS
from tests.infra.rehearsal import Declared, configuration

RECIPIENTS = {"CRITICAL": "page", "WARNING": "ticket", "INFO": "info"}


def test_each_severity_notifies_its_own_address(declared: Declared) -> None:
    settings = configuration(declared.stack)["kingdom:observability"]
    alerts = declared.of("AlertConfiguration")
    assert {alert["severityOverride"] for alert in alerts.values()} == set(RECIPIENTS)
    for name, alert in alerts.items():
        (notification,) = alert["notifications"]
        assert notification["emailAddress"] == settings[RECIPIENTS[alert["severityOverride"]]], name
        assert notification["delayMin"] == 0, name


def test_only_pages_are_repeated_every_quarter_of_an_hour(prod: Declared) -> None:
    for name, alert in prod.of("AlertConfiguration").items():
        (notification,) = alert["notifications"]
        expected = 15 if alert["severityOverride"] == "CRITICAL" else 60
        assert notification["intervalMin"] == expected, name


def test_each_metric_has_a_warning_below_the_page(declared: Declared) -> None:
    alerts = declared.of("AlertConfiguration")
    metrics = {name.removesuffix("-critical") for name in alerts if name.endswith("-critical")}
    assert metrics == {f"database-alerts-{key}" for key in ("connections", "disk", "cpu")}
    for metric in metrics:
        warning, critical = alerts[f"{metric}-warning"], alerts[f"{metric}-critical"]
        assert (warning["severityOverride"], critical["severityOverride"]) == ("WARNING", "CRITICAL")
        low, high = warning["metricThresholdConfig"], critical["metricThresholdConfig"]
        assert low["metricName"] == high["metricName"]
        assert 0 < low["threshold"] < high["threshold"] < 100
        assert low["operator"] == high["operator"] == "GREATER_THAN"


def test_a_cluster_without_a_primary_pages_and_a_failover_does_not(prod: Declared) -> None:
    events = {
        alert["eventType"]: alert["severityOverride"] for alert in prod.of("AlertConfiguration").values()
    }
    assert events["NO_PRIMARY"] == "CRITICAL"
    assert events["PRIMARY_ELECTED"] == "INFO"
    assert events["GCP_ENCRYPTION_KEY_NEEDS_ROTATION"] == "WARNING"


def test_the_certificate_of_the_service_warns_a_month_before_its_end(declared: Declared) -> None:
    alert = declared.one("AlertConfiguration", "database-alerts-certificate")
    assert alert["thresholdConfig"] == {"operator": "LESS_THAN", "threshold": 30, "units": "DAYS"}
    months = declared.one("X509AuthenticationDatabaseUser")["monthsUntilExpiration"]
    assert months * 28 > CERTIFICATE_DAYS, "a new certificate would warn at once"
