"""Allocatable capacity of Google machine types."""

from __future__ import annotations

from dataclasses import dataclass

GIB_PER_CPU = {"standard": 4.0, "highmem": 8.0, "highcpu": 1.0}
# Families that differ from the rule (https://cloud.google.com/compute/docs/general-purpose-machines).
FAMILIES: dict[str, dict[str, float]] = {
    "n1": {"standard": 3.75, "highmem": 6.5, "highcpu": 0.9},
    "c3": {"highcpu": 2.0},
    "c3d": {"highcpu": 2.0},
    "c4": {"standard": 3.75, "highmem": 7.75, "highcpu": 2.0},
    "c2d": {"highcpu": 2.0},
    "n4": {"highcpu": 2.0},
}

# (width, share): GKE reserves this share of each slice. The last slice has no end.
# https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes
CPU_RESERVED = ((1.0, 0.06), (1.0, 0.01), (2.0, 0.005), (float("inf"), 0.0025))
MEMORY_RESERVED = ((4.0, 0.25), (4.0, 0.20), (8.0, 0.10), (112.0, 0.06), (float("inf"), 0.02))
EVICTION_MI = 100

# Requests of GKE's own daemons on every node: data plane, logs, metrics, secrets, metadata, backup agent.
DAEMONS_CPU_MILLI = 500
DAEMONS_MEMORY_MI = 1024


@dataclass(frozen=True, slots=True)
class Share:
    """Capacity of one node for pods: CPU in thousandths, memory in MiB."""

    cpu_milli: int
    memory_mi: int


def allocatable(machine_type: str) -> Share:
    """Return the capacity of a node for pods, after the reservations of GKE and its daemons.

    Raises `ValueError` for an unknown machine type and for one without capacity for pods.
    """
    family, _, rest = machine_type.partition("-")
    kind, _, count = rest.partition("-")
    if kind not in GIB_PER_CPU or not count.isdecimal():
        raise ValueError(
            f"machine type {machine_type} is not supported: give family-class-cpus with a class of "
            f"{', '.join(GIB_PER_CPU)}, such as n2d-standard-8"
        )
    cpus = float(count)
    gib = cpus * FAMILIES.get(family, GIB_PER_CPU).get(kind, GIB_PER_CPU[kind])
    cpu = cpus - _reserved(cpus, CPU_RESERVED)
    memory = gib - _reserved(gib, MEMORY_RESERVED)
    share = Share(
        cpu_milli=int(cpu * 1000) - DAEMONS_CPU_MILLI,
        memory_mi=int(memory * 1024) - EVICTION_MI - DAEMONS_MEMORY_MI,
    )
    if min(share.cpu_milli, share.memory_mi) <= 0:
        raise ValueError(
            f"machine type {machine_type} is too small: GKE's daemons leave no capacity for pods"
        )
    return share


def _reserved(amount: float, slices: tuple[tuple[float, float], ...]) -> float:
    reserved = 0.0
    for width, share in slices:
        part = min(amount, width)
        reserved += part * share
        amount -= part
    return reserved
