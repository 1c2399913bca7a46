"""Informational alerts: limits that were reached, and changes that grant access."""

from __future__ import annotations

import pytest

from infra.observability.audit_alerts import CHANGES, measured
from rehearsal.monitoring.promql.evaluator import Recorded
from tests.infra.rehearsal import Declared
from tests.support.promql import result, series

CURRENT = "kube_horizontalpodautoscaler_status_current_replicas"
MAXIMUM = "kube_horizontalpodautoscaler_spec_max_replicas"
EXPIRY = "monitoring_googleapis_com:uptime_check_time_until_ssl_cert_expires"


def fires(key: str, *found: Recorded) -> bool:
    """Whether the notice of the namespace `kingdom` fires on these samples."""
    _, text = measured("kingdom")[key]
    return bool(result(text, found))


@pytest.mark.parametrize(("current", "expected"), [(99, False), (100, True), (101, True)])
def test_an_autoscaler_at_its_maximum_is_reported(current: int, expected: bool) -> None:
    labels = {"namespace": "kingdom", "horizontalpodautoscaler": "api"}
    samples = series(CURRENT, current, **labels), series(MAXIMUM, 100, **labels)
    assert fires("scaled-out", *samples) is expected


def test_an_autoscaler_of_another_namespace_is_not_reported() -> None:
    labels = {"namespace": "other", "horizontalpodautoscaler": "api"}
    assert not fires("scaled-out", series(CURRENT, 5, **labels), series(MAXIMUM, 5, **labels))


@pytest.mark.parametrize(("pending", "expected"), [(0, False), (1, True)])
def test_a_pod_without_a_node_is_reported(pending: int, expected: bool) -> None:
    labels = {"namespace": "kingdom", "phase": "Pending"}
    running = series("kube_pod_status_phase", 5, namespace="kingdom", phase="Running")
    assert fires("waiting", series("kube_pod_status_phase", pending, **labels), running) is expected


@pytest.mark.parametrize(("per_minute", "expected"), [(0.0, False), (0.5, True)])
def test_a_restart_within_ten_minutes_is_reported(per_minute: float, expected: bool) -> None:
    counter = series(
        "kubernetes_io:container_restart_count", 7, per_minute, namespace_name="kingdom", pod_name="api-1"
    )
    assert fires("restarts", counter) is expected


@pytest.mark.parametrize(("days", "expected"), [(21, False), (20, True)])
def test_a_certificate_is_reported_three_weeks_before_its_end(days: int, expected: bool) -> None:
    assert fires("certificate", series(EXPIRY, days, monitored_resource="uptime_url")) is expected
    assert not fires("certificate", series(EXPIRY, days, monitored_resource="other"))


def test_every_change_of_access_is_a_notice_with_a_rate_limit_of_five_minutes(prod: Declared) -> None:
    for key, (title, expression) in CHANGES.items():
        policy = prod.one("AlertPolicy", f"observability-notices-{key}")
        (condition,) = policy["conditions"]
        assert condition["displayName"] == title
        assert condition["conditionMatchedLog"] == {"filter": expression}
        assert policy["alertStrategy"]["notificationRateLimit"] == {"period": "300s"}
        assert policy["userLabels"]["severity"] == "info"


def test_changes_that_the_benchmark_lists_are_watched() -> None:
    # CIS Google Cloud 2.4 (ownership), 2.5 (audit), 2.7 (firewall), 2.8 (routes), 2.9 (network) and 2.10.
    assert {"permissions", "audit", "firewall", "routes", "network", "bucket"} <= CHANGES.keys()
    assert 'protoPayload.methodName="SetIamPolicy"' in CHANGES["permissions"][1]
    assert "auditConfigDeltas" in CHANGES["audit"][1]
    assert "pods.exec" in CHANGES["shell"][1]


def test_a_notice_of_a_metric_waits_ten_minutes(prod: Declared) -> None:
    for key in measured("kingdom"):
        policy = prod.one("AlertPolicy", f"observability-notices-{key}")
        condition = policy["conditions"][0]["conditionPrometheusQueryLanguage"]
        assert condition["duration"] == "600s"
