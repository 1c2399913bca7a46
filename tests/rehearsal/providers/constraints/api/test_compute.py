"""Rules of the Compute Engine API over several properties."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.constraints.api.compute import CHECKS
from rehearsal.pulumi.properties import UNKNOWN

INSTANCE = "gcp:compute/instance:Instance"
MANAGER = "gcp:compute/instanceGroupManager:InstanceGroupManager"
BACKENDS = "gcp:compute/backendService:BackendService"
RULE = "gcp:compute/forwardingRule:ForwardingRule"
MAP = "gcp:compute/uRLMap:URLMap"
PROXY = "gcp:compute/targetHttpsProxy:TargetHttpsProxy"
ADDRESS = "gcp:compute/address:Address"
ROUTE = "gcp:compute/route:Route"
SPOT = {"provisioningModel": "SPOT", "preemptible": True, "automaticRestart": False}


def found(token: str, inputs: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [path for check in CHECKS[token] for path, _ in check(inputs)]


def scheduled(**scheduling: Any) -> dict[str, Any]:
    return {"scheduling": {**SPOT, **scheduling}, "networkInterfaces": [{"network": "n"}]}


@pytest.mark.parametrize(
    ("token", "inputs", "path"),
    [
        (INSTANCE, scheduled(preemptible=False), ("scheduling", "preemptible")),
        (INSTANCE, scheduled(automaticRestart=True), ("scheduling", "automaticRestart")),
        (INSTANCE, scheduled(onHostMaintenance="MIGRATE"), ("scheduling", "onHostMaintenance")),
        (INSTANCE, {"networkInterfaces": [{"nicType": "GVNIC"}]}, ("networkInterfaces", 0, "network")),
        (MANAGER, {"versions": [{}, {}]}, ("versions",)),
        (MANAGER, {"versions": [{"targetSize": {"fixed": 1}}]}, ("versions",)),
        (MANAGER, {"versions": [{}], "updatePolicy": {"maxSurgeFixed": 0, "maxUnavailableFixed": 0}},
         ("updatePolicy", "maxSurgeFixed")),
        (BACKENDS, {"backends": [{"group": "g", "balancingMode": "RATE"}]}, ("backends", 0, "maxRate")),
        (MAP, {"hostRules": [{"pathMatcher": "b"}], "pathMatchers": [{"name": "a"}]},
         ("hostRules", 0, "pathMatcher")),
        (PROXY, {"urlMap": "u"}, ("sslCertificates",)),
        (RULE, {"ports": ["80"], "allPorts": True}, ("ports",)),
        (RULE, {"target": "t", "backendService": "b"}, ("backendService",)),
        (ADDRESS, {"subnetwork": "s"}, ("subnetwork",)),
        (ROUTE, {"destRange": "10.0.0.0"}, ("destRange",)),
        ("gcp:compute/networkPeering:NetworkPeering", {"network": "n", "peerNetwork": "n"},
         ("peerNetwork",)),
    ],
)  # fmt: skip
def test_violation_is_found_at_its_path(token: str, inputs: dict[str, Any], path: tuple[Any, ...]) -> None:
    assert found(token, inputs) == [path]


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (INSTANCE, scheduled()),
        (INSTANCE, {"scheduling": {"automaticRestart": True}}),
        (INSTANCE, {"networkInterfaces": [{"subnetwork": UNKNOWN}]}),
        (INSTANCE, {"scheduling": UNKNOWN, "networkInterfaces": UNKNOWN}),
        (MANAGER, {"versions": [{"targetSize": {"percent": 20}}, {}]}),
        (MANAGER, {"versions": [UNKNOWN]}),
        (MANAGER, {"versions": [{}], "updatePolicy": {"maxSurgeFixed": 0, "maxUnavailableFixed": 3}}),
        (MANAGER, {"versions": [{}], "updatePolicy": {"maxSurgePercent": 20, "maxUnavailableFixed": 0}}),
        (BACKENDS, {"backends": [{"balancingMode": "RATE", "maxRatePerEndpoint": 5}, {"group": "g"}]}),
        (MAP, {"hostRules": [{"pathMatcher": "a"}], "pathMatchers": [{"name": "a"}]}),
        (MAP, {"hostRules": [{"pathMatcher": "a"}], "pathMatchers": [{"name": UNKNOWN}]}),
        (PROXY, {"certificateMap": UNKNOWN}),
        (RULE, {"ports": ["80"], "backendService": UNKNOWN}),
        (ADDRESS, {"subnetwork": "s", "addressType": "INTERNAL"}),
        (ADDRESS, {"subnetwork": "s", "ipVersion": "IPV6"}),
        (ROUTE, {"destRange": "10.0.0.0/8"}),
    ],
)  # fmt: skip
def test_valid_and_unknown_values_are_accepted(token: str, inputs: dict[str, Any]) -> None:
    assert found(token, inputs) == []
