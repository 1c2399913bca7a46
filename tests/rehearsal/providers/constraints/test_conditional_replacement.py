"""Changes of one attribute of which only some replace the resource, as the provider's plan code decides."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.providers.calls import Calls, urn

DISK = "gcp:compute/disk:Disk"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
CLUSTER = "gcp:container/cluster:Cluster"
REDIS = "gcp:redis/instance:Instance"
BUCKET = "gcp:storage/bucket:Bucket"
SQL = "gcp:sql/databaseInstance:DatabaseInstance"
RULE = "gcp:compute/forwardingRule:ForwardingRule"
CONNECTOR = "gcp:vpcaccess/connector:Connector"
GROUP = "gcp:compute/instanceGroupManager:InstanceGroupManager"
ATTACHMENT = "projects/p/regions/r/serviceAttachments/"
INSTANCE = "gcp:compute/instance:Instance"
ATLAS_CLUSTER = "mongodbatlas:index/cluster:Cluster"


def interface(address: Any, subnetwork: str) -> dict[str, Any]:
    return {"networkInterfaces": [{"networkIp": address, "subnetwork": subnetwork}]}


@pytest.mark.parametrize(
    ("token", "old", "new"),
    [
        (DISK, {"size": 100}, {"size": 50}),
        (SUBNETWORK, {"ipCidrRange": "10.0.0.0/20"}, {"ipCidrRange": "10.0.0.0/22"}),
        (SUBNETWORK, {"ipCidrRange": "10.0.0.0/20"}, {"ipCidrRange": "10.1.0.0/20"}),
        (CLUSTER, {"enableL4IlbSubsetting": True}, {"enableL4IlbSubsetting": False}),
        (CLUSTER, {"enableFqdnNetworkPolicy": True}, {}),
        (
            CLUSTER,
            {"enableK8sBetaApis": {"enabledApis": ["a", "b"]}},
            {"enableK8sBetaApis": {"enabledApis": ["b"]}},
        ),
        (
            CLUSTER,
            {"enableAutopilot": True, "dnsConfig": {"additiveVpcScopeDnsDomain": "a"}},
            {"enableAutopilot": True, "dnsConfig": {"additiveVpcScopeDnsDomain": "b"}},
        ),
        (REDIS, {"redisVersion": "REDIS_7_2"}, {"redisVersion": "REDIS_7_0"}),
        (BUCKET, {"retentionPolicy": {"retentionPeriod": "9", "isLocked": True}}, {}),
        (
            SQL,
            {"settings": {"tier": "t", "ipConfiguration": {"privateNetwork": "n"}}},
            {"settings": {"tier": "t"}},
        ),
        (
            SQL,
            {"settings": {"tier": "t", "diskSize": 50, "diskAutoresize": False}},
            {"settings": {"tier": "t", "diskSize": 20, "diskAutoresize": False}},
        ),
        (SQL, {"masterInstanceName": "a"}, {"masterInstanceName": "b"}),
        (RULE, {"target": f"{ATTACHMENT}a"}, {"target": f"{ATTACHMENT}b"}),
        (
            RULE,
            {"loadBalancingScheme": "INTERNAL_MANAGED", "allowGlobalAccess": True},
            {"loadBalancingScheme": "INTERNAL_MANAGED", "allowGlobalAccess": False},
        ),
        (CONNECTOR, {"maxInstances": 5}, {"maxInstances": 4}),
        (GROUP, {"resourcePolicies": {"workloadPolicy": "w"}}, {}),
        (INSTANCE, interface("10.0.0.1", "s"), interface("10.0.0.2", "projects/p/subnetworks/s")),
    ],
)
def test_a_change_that_the_cloud_cannot_make_replaces(
    gcp: Calls, token: str, old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert gcp.diff(urn(token), old, new).replaces


@pytest.mark.parametrize(
    ("token", "old", "new"),
    [
        (DISK, {"size": 50}, {"size": 100}),
        (DISK, {"size": 50}, {}),
        (DISK, {"size": 50}, {"size": UNKNOWN}),
        (SUBNETWORK, {"ipCidrRange": "10.0.0.0/22"}, {"ipCidrRange": "10.0.0.0/20"}),
        (CLUSTER, {"enableL4IlbSubsetting": False}, {"enableL4IlbSubsetting": True}),
        (CLUSTER, {"enableL4IlbSubsetting": True}, {}),
        (
            CLUSTER,
            {"enableK8sBetaApis": {"enabledApis": ["b"]}},
            {"enableK8sBetaApis": {"enabledApis": ["a", "b"]}},
        ),
        (REDIS, {"redisVersion": "REDIS_6_X"}, {"redisVersion": "REDIS_7_2"}),
        (
            BUCKET,
            {"retentionPolicy": {"retentionPeriod": "9", "isLocked": False}},
            {"retentionPolicy": {"retentionPeriod": "9", "isLocked": True}},
        ),
        (
            SQL,
            {"settings": {"tier": "t", "diskSize": 20, "diskAutoresize": False}},
            {"settings": {"tier": "t", "diskSize": 50, "diskAutoresize": False}},
        ),
        (RULE, {"target": f"{ATTACHMENT}a"}, {"target": "projects/p/regions/r/targetHttpProxies/a"}),
        (RULE, {"allowGlobalAccess": True}, {"allowGlobalAccess": False}),
        (INSTANCE, interface("10.0.0.1", "s"), interface("10.1.0.1", "t")),
        (INSTANCE, interface("10.0.0.1", "s"), interface(UNKNOWN, "s")),
        (INSTANCE, interface("10.0.0.1", "s"), interface("", "s")),
    ],
)
def test_another_change_of_the_same_attribute_is_an_update(
    gcp: Calls, token: str, old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert not gcp.diff(urn(token), old, new).replaces


def test_smaller_disk_with_automatic_growth_is_not_a_change(gcp: Calls) -> None:
    old, new = ({"settings": {"tier": "t", "diskSize": size}} for size in (50, 20))
    assert not gcp.diff(urn(SQL), old, new).diffs
    assert list(gcp.diff(urn(SQL), new, old).diffs) == ["settings"]


@pytest.mark.parametrize(("before", "replaced"), [("TENANT", False), ("AWS", True)])
def test_only_a_shared_cluster_changes_its_provider_in_place(
    atlas: Calls, before: str, replaced: bool
) -> None:
    found = atlas.diff(urn(ATLAS_CLUSTER), {"providerName": before}, {"providerName": "GCP"})
    assert bool(found.replaces) is replaced
