"""Distribution of traffic and addresses of services."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.objects.services import traffic_problems
from rehearsal.pulumi.properties import UNKNOWN


def found(spec: dict[str, Any]) -> list[str]:
    return [one.path for one in traffic_problems(spec)]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"ipFamilyPolicy": "DualStack"}, "spec.ipFamilyPolicy"),
        ({"ipFamilies": ["IPv5"]}, "spec.ipFamilies[0]"),
        ({"ipFamilies": ["IPv4", "IPv4"]}, "spec.ipFamilies[1]"),
        ({"trafficDistribution": "Near"}, "spec.trafficDistribution"),
        ({"externalIPs": ["127.0.0.1"]}, "spec.externalIPs[0]"),
        ({"externalIPs": ["nowhere"]}, "spec.externalIPs[0]"),
        ({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.2"]}, "spec.clusterIPs[0]"),
        ({"clusterIPs": ["10.0.0.1", "10.0.0.2"]}, "spec.clusterIPs"),
        (
            {
                "sessionAffinity": "ClientIP",
                "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 100_000}},
            },
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
        ),
        ({"loadBalancerClass": "a/b"}, "spec.loadBalancerClass"),
        ({"type": "NodePort", "allocateLoadBalancerNodePorts": False}, "spec.allocateLoadBalancerNodePorts"),
        ({"type": "LoadBalancer", "healthCheckNodePort": 30_000}, "spec.healthCheckNodePort"),
        ({"ports": [{"port": 80}, {"port": 80, "protocol": "TCP"}]}, "spec.ports[1]"),
        ({"ports": [{"port": 80, "appProtocol": "my proto"}]}, "spec.ports[0].appProtocol"),
    ],
)
def test_service_that_the_server_refuses(spec: dict[str, Any], path: str) -> None:
    assert found(spec) == [path]


@pytest.mark.parametrize(
    "spec",
    [
        {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv6"]},
        {"clusterIP": "None", "clusterIPs": ["None"]},
        {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 100_000}}},
        {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"]},
        {"clusterIPs": [UNKNOWN, "10.0.0.2"], "externalIPs": [UNKNOWN, "203.0.113.7"]},
        {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86_400}}},
        {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30_000},
        {"type": UNKNOWN, "loadBalancerClass": "a/b", "healthCheckNodePort": 30_000},
        {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}, {"port": UNKNOWN}]},
        {"ports": [{"port": 80, "appProtocol": "kubernetes.io/h2c"}]},
    ],
)
def test_service_that_the_server_accepts(spec: dict[str, Any]) -> None:
    assert found(spec) == []
