"""Resources with every kind of invalid input, for all four clouds, and the path of each problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

ZONE: Final = "372e67954025e0ba6aaa6d586b9e0b59"
PROJECT: Final = "65f1c0de5ca1ab1e0ddba11c"
_REGION: Final = {"priority": 7, "providerName": "GCP", "regionName": "WESTERN_EUROPE"}
_POD: Final = {"containers": [{"name": "api", "image": "api"}]}
_LABELED: Final = {
    "selector": {"matchLabels": {"app": "a"}},
    "template": {"metadata": {"labels": {"app": "a"}}, "spec": _POD},
}


@dataclass(frozen=True)
class Wrong:
    """Inputs of one resource; `problems` maps each wrong path to a part of its reason."""

    token: str
    inputs: Mapping[str, Any]
    problems: Mapping[str, str]


def _atlas(**changed: Any) -> dict[str, Any]:
    specs = [{"regionConfigs": [{**_REGION, "electableSpecs": {"instanceSize": "M10", "nodeCount": 3}}]}]
    return {"projectId": PROJECT, "clusterType": "REPLICASET", "replicationSpecs": specs, **changed}


UNKNOWN: Final = "unknown property"
MISSING: Final = "missing required property"

WRONG: Final = (
    # gcp
    Wrong("gcp:storage/bucket:Bucket", {}, {"location": MISSING}),
    Wrong("gcp:storage/bucket:Bucket", {"location": "EU", "versions": True}, {"versions": UNKNOWN}),
    Wrong("gcp:storage/bucket:Bucket", {"location": "EU", "labels": ["a"]}, {"labels": "expected a map"}),
    Wrong(
        "gcp:storage/bucket:Bucket",
        {"location": "EU", "versioning": {"enable": True}},
        {"versioning.enable": 'did you mean "enabled"?', "versioning.enabled": MISSING},
    ),
    Wrong(
        "gcp:storage/bucket:Bucket",
        {"location": "EU", "lifecycleRules": [{"action": {"type": "Delete"}, "condition": {"age": "old"}}]},
        {"lifecycleRules[0].condition.age": "expected an integer"},
    ),
    Wrong("gcp:redis/instance:Instance", {"memorySizeGb": 1.5}, {"memorySizeGb": "expected an integer"}),
    Wrong(
        "gcp:redis/instance:Instance",
        {"memorySizeGb": 1, "transitEncryptionMode": "TLS"},
        {"transitEncryptionMode": "SERVER_AUTHENTICATION"},
    ),
    Wrong(
        "gcp:redis/instance:Instance",
        {"memory_size_gb": 1, "tier": "standard_ha"},
        {"memory_size_gb": 'did you mean "memorySizeGb"?', "memorySizeGb": MISSING, "tier": "STANDARD_HA"},
    ),
    Wrong(
        "gcp:container/nodePool:NodePool",
        {"cluster": "c", "autoscaling": {"maxNodeCount": "many"}, "nodeConfig": {"machinetype": "e2"}},
        {"autoscaling.maxNodeCount": "expected an integer", "nodeConfig.machinetype": "machineType"},
    ),
    Wrong(
        "gcp:serviceaccount/iAMMember:IAMMember",
        {"member": None},
        {"member": MISSING, "role": MISSING, "serviceAccountId": MISSING},
    ),
    Wrong(
        "gcp:compute/network:Network", {"autoCreateSubnetworks": "no"}, {"autoCreateSubnetworks": "boolean"}
    ),
    Wrong(
        "gcp:compute/firewall:Firewall",
        {"network": "n", "allows": {"protocol": "tcp"}, "direction": "INBOUND"},
        {"allows": "expected a list", "direction": '"INGRESS"'},
    ),
    Wrong("gcp:compute/firewall:Firewall", {"network": "n", "allows": [{}]}, {"allows[0].protocol": MISSING}),
    # kubernetes
    Wrong(
        "kubernetes:apps/v1:Deployment",
        {"spec": {"replicas": "3", **_LABELED}},
        {"spec.replicas": "expected an integer"},
    ),
    Wrong(
        "kubernetes:apps/v1:Deployment",
        {"spec": {**_LABELED, "strategy": {"type": "Rolling"}}},
        {"spec.strategy.type": "RollingUpdate"},
    ),
    Wrong(
        "kubernetes:core/v1:Pod",
        {"spec": {"container": []}},
        {"spec.container": 'did you mean "containers"?', "spec.containers": MISSING},
    ),
    Wrong(
        "kubernetes:core/v1:Pod",
        {"spec": {"containers": [{"name": "a", "image": "b", "securityContext": {"runAsUser": "root"}}]}},
        {"spec.containers[0].securityContext.runAsUser": "expected an integer"},
    ),
    Wrong(
        "kubernetes:core/v1:Pod",
        {
            "spec": {
                "containers": [{"name": "a", "image": "b", "imagePullPolicy": "Sometimes"}],
                "restartPolicy": "never",
            }
        },
        {"spec.containers[0].imagePullPolicy": "IfNotPresent", "spec.restartPolicy": '"Never"'},
    ),
    Wrong("kubernetes:core/v1:ConfigMap", {"data": {"a": 1}}, {"data.a": "expected a string"}),
    Wrong("kubernetes:core/v1:Secret", {"stringData": ["a"]}, {"stringData": "expected a map"}),
    Wrong(
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        {"spec": {"podSelector": {}, "egress": [{"to": {"podSelector": {}}}]}},
        {"spec.egress[0].to": "expected a list"},
    ),
    Wrong(
        "kubernetes:policy/v1:PodDisruptionBudget",
        {"spec": {"minAvailable": [1], "maxUnavailabel": 1}},
        {"spec.minAvailable": "expected", "spec.maxUnavailabel": 'did you mean "maxUnavailable"?'},
    ),
    Wrong(
        "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
        {"spec": {"maxReplicas": 5, "scaleTargetRef": {"kind": "Deployment"}}},
        {"spec.scaleTargetRef.name": MISSING},
    ),
    # mongodbatlas
    Wrong("mongodbatlas:index/project:Project", {"name": "kingdom"}, {"orgId": MISSING}),
    Wrong("mongodbatlas:index/project:Project", {"name": [], "orgId": "o"}, {"name": "expected a string"}),
    Wrong(
        "mongodbatlas:index/advancedCluster:AdvancedCluster",
        _atlas(clusterTyp="SHARDED"),
        {"clusterTyp": 'did you mean "clusterType"?'},
    ),
    Wrong(
        "mongodbatlas:index/advancedCluster:AdvancedCluster",
        _atlas(backupEnabled="yes", replicationSpecs={}),
        {"backupEnabled": "expected a boolean", "replicationSpecs": "expected a list"},
    ),
    Wrong(
        "mongodbatlas:index/advancedCluster:AdvancedCluster",
        _atlas(replicationSpecs=[{"regionConfigs": [{"priority": "first"}]}]),
        {
            "replicationSpecs[0].regionConfigs[0].priority": "expected an integer",
            "replicationSpecs[0].regionConfigs[0].providerName": MISSING,
            "replicationSpecs[0].regionConfigs[0].regionName": MISSING,
        },
    ),
    Wrong(
        "mongodbatlas:index/databaseUser:DatabaseUser",
        {
            "projectId": PROJECT,
            "username": "app",
            "password": "correct horse",
            "authDatabaseName": "admin",
            "roles": ["readWrite"],
        },
        {"roles[0]": "expected an object"},
    ),
    Wrong(
        "mongodbatlas:index/projectIpAccessList:ProjectIpAccessList",
        {"ipAddress": "1.2.3.4", "cidr": "0.0.0.0/0"},
        {"projectId": MISSING, "cidr": UNKNOWN},
    ),
    # cloudflare
    Wrong(
        "cloudflare:index/dnsRecord:DnsRecord",
        {"zoneId": ZONE, "name": "api"},
        {"ttl": MISSING, "type": MISSING},
    ),
    Wrong(
        "cloudflare:index/dnsRecord:DnsRecord",
        {"zoneId": ZONE, "name": "api", "ttl": "soon", "type": "A", "content": "192.0.2.1", "proxied": 1},
        {"ttl": "expected a number", "proxied": "expected a boolean"},
    ),
    Wrong(
        "cloudflare:index/dnsRecord:DnsRecord",
        {"zoneId": ZONE, "name": "api", "ttl": 1, "type": "ALIAS", "content": "a.example.com"},
        {"type": '"CNAME"'},
    ),
    Wrong(
        "cloudflare:index/zoneSetting:ZoneSetting", {"zoneId": ZONE, "settingId": "ssl"}, {"value": MISSING}
    ),
    Wrong(
        "cloudflare:index/ruleset:Ruleset",
        {"zoneId": ZONE, "kind": "zones", "name": "r", "phase": "http_ratelimit", "rules": {}},
        {"kind": '"zone"', "rules": "expected a list"},
    ),
    Wrong(
        "cloudflare:index/ruleset:Ruleset",
        {
            "zoneId": ZONE,
            "kind": "zone",
            "name": "r",
            "phase": "http_request_firewall_custom",
            "rules": [{"action": "block"}],
        },
        {"rules[0].expression": MISSING},
    ),
    Wrong(
        "cloudflare:index/loadBalancerPool:LoadBalancerPool",
        {"accountId": ZONE, "name": "p", "origins": [{"adress": "1.2.3.4", "weight": "heavy"}]},
        {"origins[0].adress": 'did you mean "address"?', "origins[0].weight": "expected a number"},
    ),
    # a type that no SDK declares
    Wrong("gcp:storage/buckets:Buckets", {"location": "EU"}, {"": "gcp:storage/buckets:Buckets"}),
)
