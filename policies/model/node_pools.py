"""Capacity of a GKE node pool: its maximum number of nodes, and what pods can request on each.

Allocatable follows https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes: 6 % of the first
core, 1 % of the second, 0.5 % of the next two and 0.25 % of the rest are reserved; of memory 25 % of the
first 4 GiB, 20 % of the next 4, 10 % of the next 8, 6 % of the next 112, 2 % of the rest, and 100 MiB for
eviction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from policies.model.pods import PodTemplate
from policies.model.property_tree import Node
from policies.model.stack import Resource

GIB: Final = Fraction(2**30)
MIB: Final = Fraction(2**20)
_NAME: Final = re.compile(r"(?P<family>[a-z]\d[a-z]?)-(?P<kind>standard|highmem|highcpu)-(?P<cpus>\d+)")
_CUSTOM: Final = re.compile(r"(?:[a-z]\d[a-z]?-)?custom-(?P<cpus>\d+)-(?P<mib>\d+)(?:-ext)?")
# GiB per vCPU: https://cloud.google.com/compute/docs/general-purpose-machines
_MEMORY: Final[Mapping[str, Mapping[str, Fraction]]] = {
    "n1": {"standard": Fraction("3.75"), "highmem": Fraction("6.5"), "highcpu": Fraction("0.9")},
    "c3": {"standard": Fraction(4), "highmem": Fraction(8), "highcpu": Fraction(2)},
    "c3d": {"standard": Fraction(4), "highmem": Fraction(8), "highcpu": Fraction(2)},
    "c4": {"standard": Fraction("3.75"), "highmem": Fraction("7.75"), "highcpu": Fraction(2)},
    "n4": {"standard": Fraction(4), "highmem": Fraction(8), "highcpu": Fraction(2)},
    "c2d": {"standard": Fraction(4), "highmem": Fraction(8), "highcpu": Fraction(2)},
}
_USUAL: Final = {"standard": Fraction(4), "highmem": Fraction(8), "highcpu": Fraction(1)}
_SHARED: Final = {"e2-micro": Fraction(1), "e2-small": Fraction(2), "e2-medium": Fraction(4)}
_ZONES_OF_A_REGION: Final = 3  # GKE's default number of zones of a regional pool


@dataclass(frozen=True)
class Pool:
    """A node pool at its maximum size."""

    resource: Resource
    name: str
    nodes: int
    min_nodes: int
    machine: str
    spot: bool
    per_node: Mapping[str, Fraction]  # cpu, memory (bytes), pods
    labels: Mapping[str, str]
    taints: tuple[tuple[str, str, str], ...]

    def accepts(self, pod: PodTemplate) -> bool:
        """Whether the scheduler may place this pod on this pool: selector, required affinity, taints.

        Unknown values in the pod are noted; the result is then not reliable.
        """
        spec = pod.spec
        for key, value in spec["nodeSelector"].entries():
            if value.known() and self.labels.get(key) != value.raw:
                return False
        terms = spec.at(
            "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"
        )
        if terms.present and not any(self._matches(term) for term in terms.items()):
            return False
        tolerations = list(spec["tolerations"].items())
        return all(any(_tolerates(item, taint) for item in tolerations) for taint in self.taints)

    def _matches(self, term: Node) -> bool:
        for expression in term["matchExpressions"].items():
            key = expression["key"].text()
            values = [str(item.raw) for item in expression["values"].items() if item.known()]
            held = {
                "In": self.labels.get(key) in values,
                "NotIn": self.labels.get(key) not in values,
                "Exists": key in self.labels,
                "DoesNotExist": key not in self.labels,
            }
            if not held.get(expression["operator"].text(), True):
                return False
        return True


def _tolerates(toleration: Node, taint: tuple[str, str, str]) -> bool:
    key, value, effect = taint
    wanted = toleration["effect"].text()
    if wanted and wanted.lower() != effect.lower().replace("_", ""):
        return False
    if toleration["operator"].is_one_of("Exists"):
        return not toleration["key"].present or toleration["key"].is_one_of(key)
    return toleration["key"].is_one_of(key) and toleration["value"].text() == value


def machine_shape(machine: str) -> tuple[Fraction, Fraction] | None:
    """Return the vCPUs and the bytes of memory of a machine type; None if it is unknown."""
    if machine in _SHARED:
        return Fraction(2), _SHARED[machine] * GIB
    custom = _CUSTOM.fullmatch(machine)
    if custom is not None:
        return Fraction(custom["cpus"]), Fraction(custom["mib"]) * MIB
    match = _NAME.fullmatch(machine)
    if match is None:
        return None
    cpus = Fraction(match["cpus"])
    return cpus, cpus * _MEMORY.get(match["family"], _USUAL)[match["kind"]] * GIB


def allocatable(machine: str) -> dict[str, Fraction] | None:
    """Return the CPUs and bytes of memory that pods can request on a node of this machine type."""
    shape = machine_shape(machine)
    if shape is None:
        return None
    cpus, memory = shape
    reserved_share = _tiers(cpus, ((1, "0.06"), (1, "0.01"), (2, "0.005"), (None, "0.0025")))
    if machine in _SHARED:
        reserved_share = Fraction("1.06")
    reserved = (
        _tiers(memory / GIB, ((4, "0.25"), (4, "0.2"), (8, "0.1"), (112, "0.06"), (None, "0.02"))) * GIB
    )
    return {"cpu": cpus - reserved_share, "memory": memory - reserved - 100 * MIB}


def _tiers(amount: Fraction, tiers: tuple[tuple[int | None, str], ...]) -> Fraction:
    reserved_share = Fraction(0)
    for width, share in tiers:
        part = amount if width is None else min(amount, Fraction(width))
        reserved_share += part * Fraction(share)
        amount -= part
    return reserved_share


def pool_of(resource: Resource, overhead: Mapping[str, Fraction]) -> Pool | None:
    """Return the pool at its maximum; None (and noted as not evaluated) if its machine type is unknown.

    `overhead` are the requests of GKE's daemons on every node.
    """
    node = resource.node
    config = node["nodeConfig"]
    machine = config["machineType"]
    per_node = allocatable(machine.text() or "e2-medium") if machine.known() else None
    if per_node is None:
        machine.mark_unevaluated(f"is {machine.raw}, whose size is unknown")
        return None
    with node.track_unknowns() as unknown:
        pool = _at_maximum(resource, per_node, overhead)
    return None if unknown else pool


def _at_maximum(
    resource: Resource, per_node: Mapping[str, Fraction], overhead: Mapping[str, Fraction]
) -> Pool:
    node = resource.node
    config = node["nodeConfig"]
    machine = config["machineType"]
    spread = node["nodeLocations"]
    named = len(list(spread.items()))
    regional = node["location"].text().count("-") < 2
    zones = named or (_ZONES_OF_A_REGION if regional else 1)
    scaling = node["autoscaling"]
    nodes, min_nodes = (
        int(scaling[f"total{size}NodeCount"].number())
        if scaling[f"total{size}NodeCount"].present
        else zones
        * int((scaling[f"{size.lower()}NodeCount"] if scaling.present else node["nodeCount"]).number())
        for size in ("Max", "Min")
    )
    name = node["name"].text() or resource.name
    labels = {key: str(value.raw) for key, value in config["labels"].entries() if value.known()}
    labels |= {"cloud.google.com/gke-nodepool": name}
    spot = config["spot"].is_one_of(True)
    if spot:
        labels["cloud.google.com/gke-spot"] = "true"
    return Pool(
        resource=resource,
        name=name,
        nodes=nodes,
        min_nodes=min_nodes,
        machine=machine.text(),
        spot=spot,
        per_node={key: amount - overhead.get(key, Fraction(0)) for key, amount in per_node.items()}
        | {"pods": Fraction(node["maxPodsPerNode"].integer(110))},
        labels=labels,
        taints=tuple(
            (item["key"].text(), item["value"].text(), item["effect"].text())
            for item in config["taints"].items()
            if not item["effect"].is_one_of("PREFER_NO_SCHEDULE")
        ),
    )
