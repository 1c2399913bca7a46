"""Quotas that node pools need."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.engine.state import ResourceState
from rehearsal.providers.fresh_project.model import FreshProject
from rehearsal.providers.fresh_project.quotas import Need, first_deployment, needs
from tests.rehearsal.providers.fresh_project.test_model import plan_of, resource

POOL, CLUSTER = "gcp:container/nodePool:NodePool", "gcp:container/cluster:Cluster"


def pool(**inputs: Any) -> ResourceState:
    return resource("pool", type_=POOL, inputs=inputs)


def needed(*resources: ResourceState) -> dict[str, tuple[int, int]]:
    return {need.quota: (need.first, need.max_scale) for need in needs(FreshProject(), plan_of(*resources))}


N2D = {"machineType": "n2d-standard-8", "diskType": "pd-ssd", "diskSizeGb": 50}


@pytest.mark.parametrize(
    ("inputs", "nodes"),
    [
        ({}, (3, 4)),
        ({"nodeLocations": ["a"]}, (1, 2)),
        ({"nodeLocations": ["a"], "initialNodeCount": 2}, (2, 3)),
        ({"nodeLocations": ["a"], "nodeCount": "2"}, (2, 3)),
        ({"nodeLocations": ["a", "b"], "autoscaling": {"minNodeCount": 2, "maxNodeCount": 5}}, (4, 11)),
        (
            {"nodeLocations": ["a", "b"], "autoscaling": {"totalMinNodeCount": 3, "totalMaxNodeCount": 5}},
            (3, 6),
        ),
        ({"nodeLocations": ["a"], "upgradeSettings": {"maxSurge": 0}}, (1, 1)),
    ],
)
def test_nodes_at_creation_and_with_every_pool_at_its_maximum(
    inputs: dict[str, Any], nodes: tuple[int, int]
) -> None:
    first, max_scale = nodes
    assert needed(pool(nodeConfig=N2D, **inputs)) == {
        "N2D_CPUS": (8 * first, 8 * max_scale),
        "SSD_TOTAL_GB": (50 * first, 50 * max_scale),
    }


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {"CPUS": (2, 2), "SSD_TOTAL_GB": (100, 100)}),
        ({"machineType": "n1-standard-4", "diskType": "pd-standard"}, {"CPUS": (4, 4)}),
        (
            {"machineType": "c3-standard-4", "bootDisk": {"sizeGb": 10, "diskType": "hyperdisk-balanced"}},
            {"C3_CPUS": (4, 4), "SSD_TOTAL_GB": (10, 10)},
        ),
        ({"machineType": "n2d-custom-6-12288", "diskType": "pd-standard"}, {"N2D_CPUS": (6, 6)}),
        ({"machineType": "c3-standard-4-lssd", "diskType": "pd-standard"}, {"C3_CPUS": (4, 4)}),
        ({"machineType": "custom-2-4096", "diskType": "pd-standard"}, {"CPUS": (2, 2)}),
    ],
)
def test_machine_and_disk_decide_the_quota(
    config: dict[str, Any], expected: dict[str, tuple[int, int]]
) -> None:
    one = pool(nodeConfig=config, nodeLocations=["a"], upgradeSettings={"maxSurge": 0})
    assert needed(one) == expected


def test_pools_are_added_up_and_the_default_pool_is_deleted_before_they_are_created() -> None:
    cluster = resource("cluster", type_=CLUSTER, inputs={"nodeLocations": ["a"]})
    one = pool(nodeLocations=["a"], upgradeSettings={"maxSurge": 0})
    other = resource("other", type_=POOL, inputs=dict(one.inputs))
    assert needed(cluster)["CPUS"] == (2, 2)
    assert needed(one, other)["CPUS"] == (4, 4)
    assert needed(one, other, cluster)["CPUS"] == (4, 4)


@pytest.mark.parametrize(
    ("type_", "inputs", "expected"),
    [
        ("instance:Instance", {"machineType": "n2d-standard-8"}, {"N2D_CPUS": (8, 8)}),
        (
            "instance:Instance",
            {"machineType": "e2-medium", "bootDisk": {"initializeParams": {"type": "pd-ssd", "size": 50}}},
            {"CPUS": (2, 2), "SSD_TOTAL_GB": (50, 50)},
        ),
        ("disk:Disk", {"type": "pd-ssd", "size": 500}, {"SSD_TOTAL_GB": (500, 500)}),
        ("regionDisk:RegionDisk", {"type": "pd-balanced", "size": 200}, {"SSD_TOTAL_GB": (200, 200)}),
        ("disk:Disk", {"type": "pd-standard", "size": 500}, {}),
    ],
)
def test_instances_and_disks_outside_of_pools_count(
    type_: str, inputs: dict[str, Any], expected: dict[str, tuple[int, int]]
) -> None:
    assert needed(resource("it", type_=f"gcp:compute/{type_}", inputs=inputs)) == expected


@pytest.mark.parametrize(("granted", "found"), [(16, 0), (15, 1)])
def test_first_nodes_must_not_exceed_the_quota(granted: int, found: int) -> None:
    project = FreshProject(quotas={"N2D_CPUS": granted, "SSD_TOTAL_GB": 500})
    plan = plan_of(pool(nodeConfig=N2D, nodeLocations=["a"], initialNodeCount=2))
    assert needs(project, plan)[0] == Need("N2D_CPUS", granted, 16, 24)
    obstacles = list(first_deployment(project, plan))
    assert len(obstacles) == found
    assert all("needs 16 (24 with every pool at its maximum)" in item.what for item in obstacles)
