"""Capacity numbers of a stack: where each is read from, and which of them a change alters."""

from __future__ import annotations

from typing import Any

import pytest

from policies.api import UNKNOWN as UNKNOWN_VALUE
from policies.api import Node, Resource, Stack
from rehearsal.review.changes.capacity import UNKNOWN, CapacityChange, capacity, changes

ATLAS = "mongodbatlas:index/advancedCluster:AdvancedCluster"
POOL = "gcp:container/nodePool:NodePool"
REDIS = "gcp:redis/instance:Instance"


def resource(type_: str, name: str, inputs: Any) -> Resource:
    return Resource(f"urn:pulumi:dev::kingdom::{type_}::{name}", type_, name, Node(inputs))


def kubernetes(group: str, kind: str, name: str, *, namespace: str = "shop", **body: Any) -> Resource:
    metadata = {"name": name, "namespace": namespace}
    return resource(f"kubernetes:{group}:{kind}", f"{namespace}-{name}", {"metadata": metadata} | body)


def numbers(*resources: Resource) -> dict[str, str]:
    return capacity(Stack.of(list(resources)))


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"minReplicas": 2, "maxReplicas": 40}, "2 to 40"),
        ({"maxReplicas": 40.0}, "1 to 40"),  # the default of the API server
        ({"minReplicas": 2, "maxReplicas": UNKNOWN_VALUE}, f"2 to {UNKNOWN}"),
    ],
)
def test_replicas_of_an_autoscaled_workload_are_a_range(spec: dict[str, Any], text: str) -> None:
    target = {"scaleTargetRef": {"kind": "Deployment", "name": "api"}}
    found = numbers(kubernetes("autoscaling/v2", "HorizontalPodAutoscaler", "hpa", spec=target | spec))
    assert found == {"replicas of shop/api": text}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_workload_has_its_replicas_requests_and_limits(kind: str) -> None:
    containers = [
        {"name": "a", "resources": {"requests": {"memory": "1Gi", "cpu": "500m"}, "limits": {"cpu": 2.5}}},
        {"name": "b"},
    ]
    spec = {"replicas": 3, "template": {"spec": {"containers": containers}}}
    assert numbers(kubernetes("apps/v1", kind, "web", spec=spec)) == {
        "replicas of shop/web": "3",
        "requests of shop/web/a": "500m cpu, 1Gi memory",
        "limits of shop/web/a": "2.5 cpu",
    }
    spec = {"template": {"spec": {"containers": [{"name": "a"}]}}}
    assert numbers(kubernetes("apps/v1", kind, "web", spec=spec)) == {}


def test_objects_of_one_name_in_two_namespaces_have_a_number_each() -> None:
    items = [
        kubernetes("apps/v1", "Deployment", "web", namespace=namespace, spec={"replicas": count})
        for namespace, count in (("shop", 1), ("blog", 2))
    ]
    assert numbers(*items) == {"replicas of blog/web": "2", "replicas of shop/web": "1"}


def test_quota_and_connection_pools_are_read_by_key() -> None:
    assert numbers(
        kubernetes("core/v1", "ResourceQuota", "q", spec={"hard": {"pods": "50", "cpu": 4}}),
        kubernetes("core/v1", "ConfigMap", "c", data={"KINGDOM_MONGODB_POOL": "25", "POOL_SIZE": "1"}),
    ) == {
        "quota of shop: cpu": "4",
        "quota of shop: pods": "50",
        "connections of a pod of shop: KINGDOM_MONGODB_POOL": "25",
    }


def test_node_pool_has_its_range_machine_and_spot() -> None:
    inputs: dict[str, Any] = {
        "name": "main",
        "location": "europe-west1",
        "autoscaling": {"totalMinNodeCount": 2, "totalMaxNodeCount": 12},
        "nodeConfig": {"machineType": "n2d-standard-8"},
    }
    assert numbers(resource(POOL, "pool", inputs)) == {"nodes of main": "2 to 12 n2d-standard-8"}
    inputs["nodeConfig"] = {"machineType": "n2d-standard-8", "spot": True}
    assert numbers(resource(POOL, "pool", inputs)) == {"nodes of main": "2 to 12 spot n2d-standard-8"}
    inputs["nodeConfig"] = {"machineType": "unheard-of-8"}
    assert numbers(resource(POOL, "pool", inputs)) == {"nodes of pool": UNKNOWN}


def test_redis_has_its_memory_and_replicas() -> None:
    assert numbers(resource(REDIS, "cache", {"memorySizeGb": 5.0})) == {"Redis cache: memory": "5 GiB"}
    assert numbers(resource(REDIS, "cache", {"memorySizeGb": UNKNOWN_VALUE, "replicaCount": 2})) == {
        "Redis cache: memory": f"{UNKNOWN} GiB",
        "Redis cache: replicas": "2",
    }


def atlas(*specs: dict[str, Any], **scaling: Any) -> Resource:
    configs = [[{"electableSpecs": item, "autoScaling": scaling}] for item in specs]
    return resource(ATLAS, "db", {"replicationSpecs": [{"regionConfigs": item} for item in configs]})


def test_database_has_size_members_and_disk_for_each_shard() -> None:
    found = numbers(
        atlas({"instanceSize": "M30", "nodeCount": 3, "diskSizeGb": 40.5}, {"instanceSize": "M40"})
    )
    assert found == {
        "Atlas db: size": "M30",
        "Atlas db: members": "3",
        "Atlas db: disk": "40.5 GB",
        "Atlas db, shard 2: size": "M40",
    }


def test_autoscaled_database_has_a_range_of_sizes() -> None:
    size = {"instanceSize": "M30"}
    assert numbers(atlas(size, computeMaxInstanceSize="M50")) == {"Atlas db: size": "M30 to M50"}
    found = numbers(atlas(size, computeMinInstanceSize="M10", computeMaxInstanceSize="M50"))
    assert found == {"Atlas db: size": "M10 to M50"}


def test_replicas_are_first_and_data_stores_last_in_any_order_of_declaration() -> None:
    items = [
        atlas({"instanceSize": "M30"}),
        resource(REDIS, "cache", {"memorySizeGb": 5}),
        kubernetes("core/v1", "ResourceQuota", "q", spec={"hard": {"pods": "50"}}),
        kubernetes("apps/v1", "Deployment", "b", spec={"replicas": 1}),
        kubernetes("apps/v1", "Deployment", "a", spec={"replicas": 1}),
    ]
    names = [
        "replicas of shop/a",
        "replicas of shop/b",
        "quota of shop: pods",
        "Redis cache: memory",
        "Atlas db: size",
    ]
    assert list(numbers(*items)) == list(numbers(*reversed(items))) == names


@pytest.mark.parametrize(("one", "other"), [(1234567.0, 1234568.0), (0.1, 0.10000001)])
def test_close_numbers_have_different_texts(one: float, other: float) -> None:
    first, second = (numbers(resource(REDIS, "cache", {"memorySizeGb": size})) for size in (one, other))
    assert changes(first, second)


def test_changes_are_in_the_order_of_the_new_numbers_and_removed_ones_come_last() -> None:
    before = {"removed": "1", "changed": "2", "same": "3"}
    after = {"new": "4", "same": "3", "changed": "5"}
    assert changes(before, after) == (
        CapacityChange("new", "", "4"),
        CapacityChange("changed", "2", "5"),
        CapacityChange("removed", "1", ""),
    )
    assert changes(before, before) == ()
