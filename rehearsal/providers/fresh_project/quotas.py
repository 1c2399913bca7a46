"""Quotas of a region that pools, instances and disks of a plan need, at first and at the largest scale."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rehearsal.providers.fresh_project.model import CreationPlan, FreshProject, Obstacle

_CLUSTER: Final = "gcp:container/cluster:Cluster"
_POOL: Final = "gcp:container/nodePool:NodePool"
_INSTANCE: Final = "gcp:compute/instance:Instance"
_DISKS: Final = ("gcp:compute/disk:Disk", "gcp:compute/regionDisk:RegionDisk")
_SSD: Final = frozenset({"pd-balanced", "pd-ssd", "hyperdisk-balanced"})
_DEFAULT_ZONES: Final = 3
# Defaults of a node pool: https://cloud.google.com/kubernetes-engine/docs/how-to/creating-a-cluster
_DEFAULT_MACHINE: Final = "e2-medium"
_DEFAULT_DISK_GB: Final = 100
_IMAGE_DISK_GB: Final = 10  # the disk of an instance has the size of its image
_SHARED_CORES: Final = {"e2-micro": 2, "e2-small": 2, "e2-medium": 2, "f1-micro": 1, "g1-small": 1}
# The vCPUs in the name of a machine type, also in `n2-custom-4-8192` and `c3-standard-4-lssd`.
_CORES: Final = re.compile(r"^(?:[a-z0-9]+-[a-z]+-|custom-)(\d+)(?=-|$)")
# Machine families without a CPU quota of their own, which count towards `CPUS`.
_COMMON_FAMILIES: Final = frozenset({"custom", "e2", "f1", "g1", "n1"})


@dataclass(frozen=True)
class Need:
    """The use of one quota: granted in the region, needed at first, needed with every pool at its maximum."""

    quota: str
    granted: int
    first: int
    max_scale: int


def needs(project: FreshProject, plan: CreationPlan) -> list[Need]:
    """Return the quotas that the plan's nodes use, by name."""
    first, max_scale = Counter[str](), Counter[str]()
    for _, inputs in plan.of_type(_POOL):
        initial, max_nodes = _nodes(inputs)
        first.update(_used(inputs.get("nodeConfig") or {}, initial))
        max_scale.update(_used(inputs.get("nodeConfig") or {}, max_nodes))
    for _, inputs in plan.of_type(_CLUSTER):
        # The default pool exists until the cluster is created; the declared pools come after it.
        zones = len(inputs.get("nodeLocations") or ()) or _DEFAULT_ZONES
        default = _used(inputs.get("nodeConfig") or {}, zones * _whole(inputs.get("initialNodeCount"), 1))
        for quota, amount in default.items():
            first[quota] = max(first[quota], amount)
    for used in _outside_of_pools(plan):
        first.update(used)
        max_scale.update(used)
    names = sorted({*first, *max_scale})
    return [
        Need(name, project.quotas.get(name, 0), first[name], max(first[name], max_scale[name]))
        for name in names
    ]


def _outside_of_pools(plan: CreationPlan) -> Iterator[dict[str, int]]:
    """Yield the quota use of each instance and of each disk that a plan declares by itself."""
    for _, inputs in plan.of_type(_INSTANCE):
        disk = (inputs.get("bootDisk") or {}).get("initializeParams") or {}
        size = {
            "diskSizeGb": disk.get("size") or _IMAGE_DISK_GB,
            "diskType": disk.get("type") or "pd-standard",
        }
        yield _used({"machineType": inputs.get("machineType")} | size, 1)
    for _, inputs in plan.of_type(*_DISKS):
        if inputs.get("type") in _SSD:
            yield {"SSD_TOTAL_GB": _whole(inputs.get("size"), _DEFAULT_DISK_GB)}


def first_deployment(project: FreshProject, plan: CreationPlan) -> Iterator[Obstacle]:
    """Yield quotas that the first nodes exceed.

    The instance group reports `QUOTA_EXCEEDED`, and GKE waits.
    """
    pools = [urn for urn, _ in plan.of_type(_POOL, _CLUSTER, _INSTANCE, *_DISKS)]
    for need in needs(project, plan):
        if need.first > need.granted:
            yield Obstacle(
                pools[0],
                f"the quota {need.quota} is {need.granted} in the region, and the first deployment needs"
                f" {need.first} ({need.max_scale} with every pool at its maximum)",
                "Request more, and record what is granted in quotas:granted of the stack file",
            )


def _nodes(inputs: Mapping[str, Any]) -> tuple[int, int]:
    """Return the nodes of a pool in all zones: at creation, and at most, with surge nodes of upgrades."""
    zones = len(inputs.get("nodeLocations") or ()) or _DEFAULT_ZONES
    scaling = inputs.get("autoscaling") or {}
    initial = _whole(inputs.get("initialNodeCount") or inputs.get("nodeCount"), 1) * zones
    initial = max(
        initial, _whole(scaling.get("totalMinNodeCount"), _whole(scaling.get("minNodeCount"), 0) * zones)
    )
    max_nodes = _whole(scaling.get("totalMaxNodeCount"), _whole(scaling.get("maxNodeCount"), 0) * zones)
    surge = _whole((inputs.get("upgradeSettings") or {}).get("maxSurge"), 1)
    return initial, max(initial, max_nodes) + surge


def _used(config: Mapping[str, Any], nodes: int) -> dict[str, int]:
    """Return the quota use of `nodes` nodes: CPUs and SSD storage in GB.

    Spot nodes count like others: they use the same quotas unless the project has preemptible quotas.
    """
    machine = str(config.get("machineType") or _DEFAULT_MACHINE)
    family = machine.partition("-")[0]
    found = _CORES.search(machine)
    cores = _SHARED_CORES.get(machine) or (int(found[1]) if found else 0)
    boot = config.get("bootDisk") or {}
    size = _whole(boot.get("sizeGb") or config.get("diskSizeGb"), _DEFAULT_DISK_GB)
    kind = boot.get("diskType") or config.get("diskType") or "pd-balanced"
    used = {"CPUS" if family in _COMMON_FAMILIES else f"{family.upper()}_CPUS": cores * nodes}
    return used | ({"SSD_TOTAL_GB": size * nodes} if kind in _SSD else {})


def _whole(value: Any, otherwise: int) -> int:
    return (
        int(value)
        if isinstance(value, (int, float)) or (isinstance(value, str) and value.isdecimal())
        else otherwise
    )
