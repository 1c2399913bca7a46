"""Refusals of the provider's plan code, as its functions decide them."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.constraints.plan_checks import refused_plans
from rehearsal.pulumi.properties import UNKNOWN

SSL = "gcp:compute/sSLPolicy:SSLPolicy"
FIREWALL = "gcp:compute/firewall:Firewall"
ARMOR = "gcp:compute/securityPolicy:SecurityPolicy"
CHECK = "gcp:compute/healthCheck:HealthCheck"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
LOG = {"metadata": "x"}
SERVING = {"portSpecification": "USE_SERVING_PORT", "port": 1}
TWICE = {"labels": {"password": "a"}, "sensitiveLabels": {"password": "b"}}
UPGRADE = {"strategy": "BLUE_GREEN", "maxSurge": 1}


def refused(token: str, inputs: dict[str, Any]) -> set[str]:
    return {found.path for found in refused_plans(token, inputs, "provider")}


@pytest.mark.parametrize(
    ("token", "inputs", "path"),
    [
        (SSL, {"profile": "CUSTOM"}, "customFeatures"),
        (SSL, {"customFeatures": ["x"]}, "customFeatures"),
        (FIREWALL, {"direction": "INGRESS"}, "sourceRanges"),
        (
            FIREWALL,
            {"sourceTags": ["a"], "enableLogging": False, "logConfig": LOG},
            "logConfig",
        ),
        (ARMOR, {"rules": [{"priority": 1}, {"priority": 1}]}, "rules"),
        (CHECK, {"httpHealthCheck": {"portSpecification": "USE_FIXED_PORT"}}, "httpHealthCheck.port"),
        (CHECK, {"tcpHealthCheck": {"portSpecification": "USE_NAMED_PORT"}}, "tcpHealthCheck.portName"),
        (
            CHECK,
            {"tcpHealthCheck": SERVING},
            "tcpHealthCheck.port",
        ),
        (
            CHANNEL,
            {"labels": {"password": "a"}, "sensitiveLabels": {"password": "b"}},
            "sensitiveLabels.password",
        ),
        ("gcp:compute/instanceTemplate:InstanceTemplate", {"disks": [{}, {"boot": True}]}, "disks[1].boot"),
        (
            "gcp:container/cluster:Cluster",
            {"clusterAutoscaling": {"autoProvisioningDefaults": {"upgradeSettings": UPGRADE}}},
            "clusterAutoscaling.autoProvisioningDefaults.upgradeSettings.maxSurge",
        ),
    ],
)
def test_a_plan_that_the_provider_refuses(token: str, inputs: dict[str, Any], path: str) -> None:
    assert refused(token, inputs) == {path}


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (SSL, {"profile": "CUSTOM", "customFeatures": UNKNOWN}),
        (SSL, {"profile": UNKNOWN}),
        (FIREWALL, {"direction": "EGRESS"}),
        (FIREWALL, {"sourceRanges": UNKNOWN}),
        (ARMOR, {"rules": [{"priority": UNKNOWN}, {"priority": UNKNOWN}]}),
        (CHECK, {"httpHealthCheck": {"portSpecification": "USE_FIXED_PORT", "port": UNKNOWN}}),
    ],
)
def test_an_unknown_value_refuses_no_plan(token: str, inputs: dict[str, Any]) -> None:
    assert not refused(token, inputs)
