"""Capacity numbers of a stack: replicas, quota, nodes, connection pools, sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from policies.api import Node, Object, Resource, Stack, pool_of

UNKNOWN: Final = "(not known yet)"
# The suffix of variables with the maximum connections of a pod (`infra/settings/sizing.py`).
_POOL: Final = "_POOL"


@dataclass(frozen=True)
class CapacityChange:
    """One capacity number before and after the change, as text; "" where it does not exist."""

    what: str
    before: str
    after: str


def capacity(stack: Stack) -> dict[str, str]:
    """Return every capacity number of the stack by its name: replicas first, sizes of data stores last.

    Names of objects include the namespace, because other namespaces may have objects of the same name.
    """
    found: dict[str, str] = {}
    for kind, read in _OBJECTS.items():
        for item in sorted(stack.of_kind(kind), key=lambda item: (item.namespace, item.name)):
            found.update(read(item))
    for type_, measure in _RESOURCES.items():
        for resource in sorted(stack.of_type(type_), key=lambda item: item.urn):
            found.update(measure(resource))
    return found


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[CapacityChange, ...]:
    """Return the numbers that differ, in the order of `after`; removed ones come last."""
    names = [*after, *(name for name in before if name not in after)]
    return tuple(
        CapacityChange(name, before.get(name, ""), after.get(name, ""))
        for name in names
        if before.get(name) != after.get(name)
    )


def _autoscaler(item: Object) -> Iterator[tuple[str, str]]:
    spec = item.node["spec"]
    minimum = spec["minReplicas"]
    yield (
        f"replicas of {item.namespace}/{_text(spec.at('scaleTargetRef', 'name'))}",
        f"{_text(minimum) if minimum.present else '1'} to {_text(spec['maxReplicas'])}",
    )


def _workload(item: Object) -> Iterator[tuple[str, str]]:
    label = f"{item.namespace}/{item.name}"
    replicas = item.node.at("spec", "replicas")
    if replicas.present:
        yield f"replicas of {label}", _text(replicas)
    for container in item.node.at("spec", "template", "spec", "containers").items():
        for key in ("requests", "limits"):
            amounts = [
                f"{_text(amount)} {name}" for name, amount in sorted(container.at("resources", key).entries())
            ]
            if amounts:
                yield f"{key} of {label}/{_text(container['name'])}", ", ".join(amounts)


def _quota(item: Object) -> Iterator[tuple[str, str]]:
    for key, amount in sorted(item.node.at("spec", "hard").entries()):
        yield f"quota of {item.namespace}: {key}", _text(amount)


def _configuration(item: Object) -> Iterator[tuple[str, str]]:
    for key, value in sorted(item.node["data"].entries()):
        if key.endswith(_POOL):
            yield f"connections of a pod of {item.namespace}: {key}", _text(value)


def _node_pool(resource: Resource) -> Iterator[tuple[str, str]]:
    pool = pool_of(resource, {})
    if pool is None:
        yield f"nodes of {resource.name}", UNKNOWN
        return
    kind = " spot" if pool.spot else ""
    yield f"nodes of {pool.name}", f"{pool.min_nodes} to {pool.nodes}{kind} {pool.machine}"


def _redis(resource: Resource) -> Iterator[tuple[str, str]]:
    node = resource.node
    yield f"Redis {resource.name}: memory", f"{_text(node['memorySizeGb'])} GiB"
    if node["replicaCount"].present:
        yield f"Redis {resource.name}: replicas", _text(node["replicaCount"])


def _atlas(resource: Resource) -> Iterator[tuple[str, str]]:
    for index, shard in enumerate(resource.node["replicationSpecs"].items()):
        for region in shard["regionConfigs"].items():
            specs, scaling = region["electableSpecs"], region["autoScaling"]
            of = f"Atlas {resource.name}" + (f", shard {index + 1}" if index else "")
            size = specs["instanceSize"]
            min_size, max_size = scaling["computeMinInstanceSize"], scaling["computeMaxInstanceSize"]
            if max_size.present:
                low = min_size if min_size.present else size
                yield f"{of}: size", f"{_text(low)} to {_text(max_size)}"
            else:
                yield f"{of}: size", _text(size)
            if specs["nodeCount"].present:
                yield f"{of}: members", _text(specs["nodeCount"])
            if specs["diskSizeGb"].present:
                yield f"{of}: disk", f"{_text(specs['diskSizeGb'])} GB"


def _text(node: Node) -> str:
    if not node.known():
        return UNKNOWN
    if isinstance(node.raw, float) and node.raw.is_integer():
        return str(int(node.raw))
    return str(node.raw)


_OBJECTS: Final[dict[str, Callable[[Object], Iterator[tuple[str, str]]]]] = {
    "HorizontalPodAutoscaler": _autoscaler,
    "Deployment": _workload,
    "StatefulSet": _workload,
    "ResourceQuota": _quota,
    "ConfigMap": _configuration,
}
_RESOURCES: Final[dict[str, Callable[[Resource], Iterator[tuple[str, str]]]]] = {
    "gcp:container/nodePool:NodePool": _node_pool,
    "gcp:redis/instance:Instance": _redis,
    "mongodbatlas:index/advancedCluster:AdvancedCluster": _atlas,
}
