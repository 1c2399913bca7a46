"""Refusals of the provider's plan code, as its functions decide them."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.constraints.plans.plan_checks import refused_plans
from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.providers.calls import Calls, urn

SSL = "gcp:compute/sSLPolicy:SSLPolicy"
FIREWALL = "gcp:compute/firewall:Firewall"
ARMOR = "gcp:compute/securityPolicy:SecurityPolicy"
CHECK = "gcp:compute/healthCheck:HealthCheck"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
LOG = {"metadata": "x"}
SERVING = {"portSpecification": "USE_SERVING_PORT", "port": 1}
TWICE = {"labels": {"password": "a"}, "sensitiveLabels": {"password": "b"}}
UPGRADE = {"strategy": "BLUE_GREEN", "maxSurge": 1}
TEMPLATE = "gcp:compute/instanceTemplate:InstanceTemplate"
ROUTER = "gcp:compute/router:Router"
NAT = "gcp:compute/routerNat:RouterNat"
NAT_ADDRESS = "gcp:compute/routerNatAddress:RouterNatAddress"
BACKENDS = "gcp:compute/regionBackendService:RegionBackendService"
CLUSTER = "gcp:container/cluster:Cluster"
SINK = "gcp:logging/projectSink:ProjectSink"
SQL = "gcp:sql/databaseInstance:DatabaseInstance"
JOB = "gcp:cloudscheduler/job:Job"
OBJECT = "gcp:storage/bucketObject:BucketObject"
PITR = {"backupConfiguration": {"pointInTimeRecoveryEnabled": True}}


def refused(token: str, inputs: dict[str, Any], olds: dict[str, Any] | None = None) -> set[str]:
    return {found.path for found in refused_plans(token, inputs, olds or {}, "provider")}


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
        (CHECK, {"httpHealthCheck": {"portSpecification": "USE_NAMED_PORT"}}, "httpHealthCheck.portName"),
        (
            CHECK,
            {"httpHealthCheck": {"portSpecification": "USE_NAMED_PORT", "portName": "a", "port": 1}},
            "httpHealthCheck.port",
        ),
        (
            CHECK,
            {"httpHealthCheck": SERVING},
            "httpHealthCheck.port",
        ),
        (
            CHANNEL,
            {"labels": {"password": "a"}, "sensitiveLabels": {"password": "b"}},
            "sensitiveLabels.password",
        ),
        (TEMPLATE, {"disks": [{}, {"boot": True}]}, "disks[1].boot"),
        (TEMPLATE, {"disks": [{"type": "SCRATCH", "diskType": "pd-ssd"}]}, "disks[0].diskType"),
        (TEMPLATE, {"disks": [{"diskType": "local-ssd"}]}, "disks[0].diskType"),
        (
            TEMPLATE,
            {"disks": [{"type": "SCRATCH", "diskType": "local-ssd", "diskSizeGb": 100}]},
            "disks[0].diskSizeGb",
        ),
        (
            TEMPLATE,
            {"disks": [{"type": "SCRATCH", "diskType": "local-ssd", "diskSizeGb": 3000}]},
            "disks[0].interface",
        ),
        (ROUTER, {"bgp": {"advertisedGroups": ["ALL_SUBNETS"]}}, "bgp.advertisedGroups"),
        (
            ROUTER,
            {"bgp": {"advertiseMode": "DEFAULT", "advertisedIpRanges": [{"range": "10.0.0.0/8"}]}},
            "bgp.advertisedIpRanges",
        ),
        (NAT, {"drainNatIps": ["a"]}, "drainNatIps"),
        (NAT_ADDRESS, {"drainNatIps": ["a"]}, "drainNatIps"),
        (CLUSTER, {"nodeVersion": "1.37.1", "removeDefaultNodePool": True}, "nodeVersion"),
        (BACKENDS, {"backends": [{"group": "g", "maxRate": 5}]}, "backends[0].maxRate"),
        (BACKENDS, {"loadBalancingScheme": "EXTERNAL_MANAGED", "backends": [{"group": "g"}]}, "backends"),
        (SINK, {"bigqueryOptions": {"a": 1}, "uniqueWriterIdentity": False}, "uniqueWriterIdentity"),
        (
            SQL,
            {"databaseVersion": "MYSQL_8_0", "settings": PITR},
            "settings.backupConfiguration.pointInTimeRecoveryEnabled",
        ),
        (JOB, {"httpTarget": {"oauthToken": {"a": 1}, "oidcToken": {"a": 1}}}, "httpTarget.oauthToken"),
        (OBJECT, {"contexts": {"customs": [{"key": "a"}, {"key": "a"}]}}, "contexts.customs"),
        (CLUSTER, {"nodeVersion": "1.36.1", "minMasterVersion": "1.37.1"}, "nodeVersion"),
        (CLUSTER, {"skipNodePoolRefresh": True, "nodePools": [{"name": "a"}]}, "skipNodePoolRefresh"),
        (
            CLUSTER,
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
        (FIREWALL, {"sourceRanges": []}),
        (ARMOR, {"rules": [{"priority": UNKNOWN}, {"priority": UNKNOWN}]}),
        (CHECK, {"httpHealthCheck": {"portSpecification": "USE_FIXED_PORT"}}),
        (CHECK, {"httpHealthCheck": {"portSpecification": "USE_NAMED_PORT", "portName": UNKNOWN}}),
        (CHECK, {"tcpHealthCheck": {"portSpecification": "USE_NAMED_PORT"}}),  # the API refuses it
        (TEMPLATE, {"disks": [{"type": UNKNOWN, "diskType": "local-ssd"}]}),
        (BACKENDS, {"loadBalancingScheme": UNKNOWN, "backends": [{"group": "g", "maxRate": 5}]}),
        (CLUSTER, {"nodeVersion": UNKNOWN, "minMasterVersion": "1.37.1"}),
        (SQL, {"databaseVersion": UNKNOWN, "settings": PITR}),
    ],
)
def test_an_unknown_value_refuses_no_plan(token: str, inputs: dict[str, Any]) -> None:
    assert not refused(token, inputs)


def test_an_address_of_a_nat_is_drained_after_it_left_its_addresses() -> None:
    old = {"natIps": ["projects/p/addresses/a", "b"]}
    assert not refused(NAT, {"natIps": ["b"], "drainNatIps": ["a"]}, old)
    assert not refused(NAT, {"natIps": ["b"], "drainNatIps": ["a"]}, {"natIps": ["b"], "drainNatIps": ["a"]})
    assert refused(NAT, {"natIps": ["a", "b"], "drainNatIps": ["a"]}, old) == {"drainNatIps[0]"}
    assert refused(NAT, {"natIps": ["b"], "drainNatIps": ["c"]}, old) == {"drainNatIps[0]"}


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"instanceType": "READ_REPLICA_INSTANCE"}, {"masterInstanceName": "a"}, {"masterInstanceName"}),
        ({"masterInstanceName": "a"}, {"replicaConfiguration": {}}, {"replicaConfiguration"}),
        ({"masterInstanceName": "a"}, {}, set()),
        ({"instanceType": "CLOUD_SQL_INSTANCE"}, {"replicaConfiguration": {}}, set()),
    ],
)
def test_a_promoted_replica_has_no_primary(old: dict[str, Any], new: dict[str, Any], found: set[str]) -> None:
    assert refused(SQL, {"instanceType": "CLOUD_SQL_INSTANCE", **new}, {"name": "db", **old}) == found


def test_an_existing_cluster_without_its_default_pool_may_have_a_node_version() -> None:
    assert not refused(CLUSTER, {"nodeVersion": "1.37.1", "removeDefaultNodePool": True}, {"name": "k"})


def test_the_versions_of_a_cluster_may_differ_later() -> None:
    assert not refused(CLUSTER, {"nodeVersion": "1.36.1", "minMasterVersion": "1.37.1"}, {"name": "k"})


def test_a_drained_address_passes_the_check_of_an_update(gcp: Calls) -> None:
    nat = {
        "name": "nat",
        "router": "r",
        "region": "europe-west1",
        "natIpAllocateOption": "MANUAL_ONLY",
        "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
    }
    new = {**nat, "natIps": ["b"], "drainNatIps": ["a"]}
    assert gcp.check(urn(NAT), new).failures.keys() == {"drainNatIps"}
    assert not gcp.check(urn(NAT), new, {**nat, "natIps": ["a", "b"]}).failures
