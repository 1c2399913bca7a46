"""Notification channels: one address for each severity, and the policies that notify them."""

from __future__ import annotations

import pytest

from infra.observability.notification_channels import Severity, page_of, promql
from tests.infra.rehearsal import Declared, configuration


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


def test_each_policy_notifies_the_channel_of_its_severity(prod: Declared) -> None:
    channels = {
        prod.state("NotificationChannel", name).outputs["name"]: name.rpartition("-")[2]
        for name in prod.of("NotificationChannel")
    }
    found = set()
    for name, policy in prod.of("AlertPolicy").items():
        (channel,) = policy["notificationChannels"]
        severity = channels[channel]
        assert policy["userLabels"]["severity"] == severity, name
        # Cloud Monitoring has no severity below a warning.
        assert policy.get("severity") == (None if severity == "info" else severity.upper()), name
        found.add(severity)
    assert found == {"info", "warning", "critical"}


def test_a_policy_names_the_environment_and_its_runbook(prod: Declared) -> None:
    for name, policy in prod.of("AlertPolicy").items():
        assert policy["displayName"].endswith(" (prod)"), name
        assert policy["documentation"]["subject"].startswith("prod: "), name
        assert "Runbook: `docs/operating.md#" in policy["documentation"]["content"], name


@pytest.mark.parametrize(
    ("key", "page"),
    [
        ("alr1-warning", "docs/operating.md#alr1"),
        ("alr1-critical", "docs/operating.md#alr1"),
        ("latency-burn-critical", "docs/operating.md#latency-burn"),
        ("restarts", "docs/operating.md#restarts"),
        ("critical", "docs/operating.md#critical"),
    ],
)
def test_both_severities_of_a_signal_share_a_runbook(key: str, page: str) -> None:
    assert page_of(key) == page


def test_a_condition_holds_for_five_minutes_by_default() -> None:
    condition = promql("up == 0")["condition_prometheus_query_language"]
    assert isinstance(condition, dict)
    assert (condition["query"], condition["duration"]) == ("up == 0", "300s")
    # Before the first pod has exported it, Cloud Monitoring would refuse the policy.
    assert condition["disable_metric_validation"] is True


def test_every_severity_has_an_address(prod: Declared) -> None:
    assert {name.rpartition("-")[2] for name in prod.of("NotificationChannel")} == {
        severity.lower() for severity in Severity
    }
