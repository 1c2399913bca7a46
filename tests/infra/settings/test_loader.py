"""The service's configuration agrees with alert policies, database tiers and timeouts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.application import PUBLIC
from infra.settings.loader import parse
from infra.settings.sizing import ATLAS_CONNECTIONS, MONITORS, peak
from infra.settings.types import AtlasSize
from tests.infra.rehearsal import Declared, configuration

ALERTS = {"alr1": "cpu", "alr2": "memory", "alr3": "responseTime", "alr4": "errorRate"}


def thresholds(declared: Declared) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(declared.one("ConfigMap", "thresholds")["data"]["thresholds.json"])
    return found


@pytest.mark.parametrize("severity", ["warning", "critical"])
def test_the_service_and_the_alert_policies_have_the_same_thresholds(
    declared: Declared, severity: str
) -> None:
    mounted = thresholds(declared)
    for requirement, signal in ALERTS.items():
        policy = declared.one("AlertPolicy", f"observability-{requirement}-{severity}")
        query = policy["conditions"][0]["conditionPrometheusQueryLanguage"]["query"]
        assert query.endswith(f"> {mounted[signal][severity]:g}")
    atlas = declared.one("AlertConfiguration", f"database-alerts-connections-{severity}")
    assert atlas["metricThresholdConfig"]["threshold"] == mounted["databaseConnections"][severity]


@pytest.mark.parametrize("role", ["api", "worker"])
def test_every_pod_reads_the_thresholds_from_a_mounted_file(declared: Declared, role: str) -> None:
    pod = declared.one("Deployment", role)["spec"]["template"]["spec"]
    file = declared.one("ConfigMap", "configuration")["data"]["KINGDOM_THRESHOLDS_FILE"]
    folder, _, name = file.rpartition("/")
    mount = next(item for item in pod["containers"][0]["volumeMounts"] if item["mountPath"] == folder)
    volume = next(item for item in pod["volumes"] if item["name"] == mount["name"])
    assert name in declared.one("ConfigMap", volume["configMap"]["name"])["data"]
    assert mount["readOnly"]


def test_the_pools_of_all_pods_fit_the_min_tier(declared: Declared) -> None:
    settings = parse(declared.stack, configuration(declared.stack))
    pool = int(declared.one("ConfigMap", "configuration")["data"]["KINGDOM_MONGODB_POOL"])
    pods = sum(map(peak, settings.workload.roles.values()))
    assert pods * (pool + MONITORS) < ATLAS_CONNECTIONS[AtlasSize(settings.database.min_size)] * 0.8


def test_no_route_timeout_exceeds_the_request_timeout_of_the_role(declared: Declared) -> None:
    max_seconds = parse(declared.stack, configuration(declared.stack)).workload.request_seconds
    routes = [endpoint for part in PUBLIC for endpoint in part.endpoints]
    assert not {route.path for route in routes if route.seconds >= max_seconds}


def test_metrics_of_both_roles_are_collected(declared: Declared) -> None:
    for role in ("api", "worker"):
        spec = declared.one("PodMonitoring", f"{role}-scraping")["spec"]
        template = declared.one("Deployment", role)["spec"]["template"]
        assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        assert spec["endpoints"][0]["port"] == template["spec"]["containers"][0]["ports"][0]["name"]


def test_pods_are_created_after_their_dependencies(prod: Declared) -> None:
    for role in ("api", "worker"):
        after = prod.state("Deployment", role).dependencies
        for needed in (
            "PriorityClass",
            "PrivateLinkEndpointService",
            "RepositoryIamMember",
            "ServiceAccount",
        ):
            assert any(f":{needed}::" in urn for urn in after), f"{role} does not wait for {needed}"


def test_interactive_pods_have_the_higher_priority(declared: Declared) -> None:
    classes = {item["metadata"]["name"]: item["value"] for item in declared.of("PriorityClass").values()}
    named = {
        role: declared.one("Deployment", role)["spec"]["template"]["spec"]["priorityClassName"]
        for role in ("api", "worker")
    }
    assert classes[named["api"]] > classes[named["worker"]] > 0
