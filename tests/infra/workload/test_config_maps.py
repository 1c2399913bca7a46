"""ConfigMaps of the service: variables that it accepts, and thresholds that alert policies share."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.settings.loader import parse
from infra.workload.config_maps import thresholds
from tests.infra.rehearsal import Declared, configuration

ALERTS = {"alr1": "cpu", "alr2": "memory", "alr3": "responseTime", "alr4": "errorRate"}


def mounted(declared: Declared) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(declared.one("ConfigMap", "thresholds")["data"]["thresholds.json"])
    return found


@pytest.mark.parametrize("severity", ["warning", "critical"])
def test_the_service_and_the_alert_policies_have_the_same_thresholds(
    declared: Declared, severity: str
) -> None:
    published = mounted(declared)
    for requirement, signal in ALERTS.items():
        policy = declared.one("AlertPolicy", f"observability-{requirement}-{severity}")
        query = policy["conditions"][0]["conditionPrometheusQueryLanguage"]["query"]
        assert query.endswith(f"> {published[signal][severity]:g}")
    atlas = declared.one("AlertConfiguration", f"database-alerts-connections-{severity}")
    assert atlas["metricThresholdConfig"]["threshold"] == published["databaseConnections"][severity]


@pytest.mark.parametrize("role", ["api", "worker"])
def test_every_pod_reads_the_thresholds_from_a_mounted_file(declared: Declared, role: str) -> None:
    pod = declared.one("Deployment", role)["spec"]["template"]["spec"]
    file = declared.one("ConfigMap", "configuration")["data"]["KINGDOM_THRESHOLDS_FILE"]
    folder, _, name = file.rpartition("/")
    mount = next(item for item in pod["containers"][0]["volumeMounts"] if item["mountPath"] == folder)
    volume = next(item for item in pod["volumes"] if item["name"] == mount["name"])
    assert name in declared.one("ConfigMap", volume["configMap"]["name"])["data"]
    assert mount["readOnly"]


@pytest.mark.parametrize("stack", ["local", "dev", "staging", "prod"])
def test_each_threshold_has_the_values_of_its_setting_and_a_unit(stack: str) -> None:
    values = configuration(stack)
    found = thresholds(parse(stack, values).observability.thresholds)
    settings = values["kingdom:observability"]["thresholds"]
    assert found == {
        "cpu": {**settings["cpuPercent"], "unit": "percent"},
        "memory": {**settings["memoryPercent"], "unit": "percent"},
        "responseTime": {**settings["responseSeconds"], "unit": "seconds"},
        "errorRate": {**settings["errorPercent"], "unit": "percent"},
        "databaseConnections": {**settings["databaseConnectionsPercent"], "unit": "percent"},
    }


def test_pods_wait_for_both_config_maps(prod: Declared) -> None:
    for role in ("api", "worker"):
        assert {"ConfigMap configuration", "ConfigMap thresholds"} <= prod.waits_for("Deployment", role)


def test_a_changed_variable_changes_the_pod_template(prod: Declared, varied: Declared) -> None:
    def annotation(declared: Declared, role: str) -> str:
        metadata = declared.one("Deployment", role)["spec"]["template"]["metadata"]
        return str(metadata["annotations"]["kingdom.studio/configuration"])

    assert prod.one("ConfigMap", "configuration")["data"] != varied.one("ConfigMap", "configuration")["data"]
    for role in ("api", "worker"):
        assert annotation(prod, role) != annotation(varied, role)
