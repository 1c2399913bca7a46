"""Node pools: machine types, allocatable resources, nodes, and the pods that a pool accepts."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from policies.model.node_pools import GIB, MIB, allocatable, machine_shape, pool_of
from policies.model.pods import pod_templates
from policies.model.property_tree import UNKNOWN
from tests.policies.model.objects import declared, resource

TYPE = "gcp:container/nodePool:NodePool"


@pytest.mark.parametrize(
    ("machine", "cpus", "gib"),
    [
        ("e2-micro", 2, 1),
        ("e2-medium", 2, 4),
        ("e2-standard-4", 4, 16),
        ("n1-standard-4", 4, 15),
        ("n2d-highcpu-8", 8, 8),
        ("c3-highmem-8", 8, 64),
        ("n2-custom-4-10240", 4, 10),
        ("custom-2-8192-ext", 2, 8),
    ],
)
def test_shape_of_a_machine_type(machine: str, cpus: int, gib: int) -> None:
    assert machine_shape(machine) == (cpus, gib * GIB)


@pytest.mark.parametrize("machine", ["", "n2-standard", "n2-huge-4", "n2-standard-4-lssd", "custom-2"])
def test_other_machine_types_are_not_known(machine: str) -> None:
    assert machine_shape(machine) is None
    assert allocatable(machine) is None


@pytest.mark.parametrize(
    ("machine", "millicores", "mib"),
    [
        # Reserved: 60 + 10 + 5 + 5 m; 25 % of 4, 20 % of 4 and 10 % of 8 GiB, and 100 MiB.
        ("e2-standard-4", 3920, 16384 - 1024 - 819.2 - 819.2 - 100),
        ("e2-standard-2", 1930, 8192 - 1024 - 819.2 - 100),
        ("e2-medium", 940, 4096 - 1024 - 100),
    ],
)
def test_allocatable_resources_follow_the_documentation_of_gke(
    machine: str, millicores: int, mib: float
) -> None:
    found = allocatable(machine)
    assert found is not None
    assert found["cpu"] * 1000 == millicores
    assert float(found["memory"] / MIB) == pytest.approx(mib)


def pool(overhead: Any = None, **props: Any) -> Any:
    config = {"machineType": "e2-standard-4"} | props.pop("nodeConfig", {})
    given = {"location": "europe-west1", "nodeConfig": config} | props
    return pool_of(resource(TYPE, given, "main"), overhead or {})


@pytest.mark.parametrize(
    ("props", "nodes"),
    [
        ({"nodeCount": 2}, (6, 6)),
        ({"nodeCount": 2, "location": "europe-west1-b"}, (2, 2)),
        ({"nodeCount": 2, "nodeLocations": ["a", "b"]}, (4, 4)),
        ({"autoscaling": {"minNodeCount": 1, "maxNodeCount": 3}}, (3, 9)),
        ({"autoscaling": {"totalMinNodeCount": 1, "totalMaxNodeCount": 4}}, (1, 4)),
    ],
)
def test_nodes_of_all_zones(props: dict[str, Any], nodes: tuple[int, int]) -> None:
    found = pool(**props)
    assert (found.min_nodes, found.nodes) == nodes


def test_daemons_and_pods_of_a_node() -> None:
    found = pool({"cpu": Fraction(1, 2)}, maxPodsPerNode=32)
    assert found.per_node["cpu"] == Fraction("3.42")
    assert found.per_node["pods"] == 32
    assert pool().per_node["pods"] == 110


@pytest.mark.parametrize("machine", [UNKNOWN, "n9-standard"])
def test_pool_of_an_unknown_machine_type_is_not_evaluated(machine: Any) -> None:
    assert pool(nodeConfig={"machineType": machine}) is None


def test_pool_with_an_unknown_number_of_nodes_is_not_evaluated() -> None:
    assert pool(nodeCount=UNKNOWN) is None


def accepts(spec: dict[str, Any], **config: Any) -> bool:
    [pod] = pod_templates(declared("core/v1:Pod", {"containers": [{"name": "a"}]} | spec))
    return pool(nodeConfig=config).accepts(pod)


def affinity(operator: str, *values: str, key: str = "disk") -> dict[str, Any]:
    terms = [{"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}]
    required = {"nodeSelectorTerms": terms}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}}


@pytest.mark.parametrize(
    ("spec", "accepted"),
    [
        ({}, True),
        ({"nodeSelector": {"disk": "ssd"}}, True),
        ({"nodeSelector": {"disk": "hdd"}}, False),
        ({"nodeSelector": {"cloud.google.com/gke-nodepool": "main"}}, True),
        ({"nodeSelector": {"cloud.google.com/gke-spot": "true"}}, False),
        (affinity("In", "ssd"), True),
        (affinity("In", "hdd"), False),
        (affinity("NotIn", "ssd"), False),
        (affinity("Exists"), True),
        (affinity("DoesNotExist"), False),
        (affinity("DoesNotExist", key="gpu"), True),
    ],
)
def test_pool_accepts_pods_by_selector_and_affinity(spec: dict[str, Any], accepted: bool) -> None:
    assert accepts(spec, labels={"disk": "ssd"}) == accepted


TAINT = {"key": "dedicated", "value": "batch", "effect": "NO_SCHEDULE"}


@pytest.mark.parametrize(
    ("tolerations", "accepted"),
    [
        ([], False),
        ([{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}], True),
        ([{"key": "dedicated", "value": "batch"}], True),
        ([{"key": "dedicated", "value": "other"}], False),
        ([{"key": "dedicated", "value": "batch", "effect": "NoExecute"}], False),
        ([{"key": "dedicated", "operator": "Exists"}], True),
        ([{"operator": "Exists"}], True),
        ([{"key": "other", "operator": "Exists"}], False),
    ],
)
def test_taint_must_be_tolerated(tolerations: list[dict[str, str]], accepted: bool) -> None:
    assert accepts({"tolerations": tolerations}, taints=[TAINT]) == accepted


def test_preferred_taints_and_spot() -> None:
    assert accepts({}, taints=[TAINT | {"effect": "PREFER_NO_SCHEDULE"}])
    assert accepts({"nodeSelector": {"cloud.google.com/gke-spot": "true"}}, spot=True)
