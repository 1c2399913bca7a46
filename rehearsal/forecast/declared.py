"""The parts of a planned stack that determine its capacity."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from policies.api import Node, Object, Pool, Stack, monthly, parse_quantity, pool_of

HOURS_PER_MONTH: Final = 730.0
# Connections per node of an Atlas tier: https://www.mongodb.com/docs/atlas/reference/atlas-limits/
ATLAS_CONNECTIONS: Final = {
    "M10": 1_500, "M20": 3_000, "M30": 3_000, "M40": 6_000, "M50": 16_000, "M60": 32_000, "M80": 96_000,
    "M200": 128_000,
}  # fmt: skip
_REDIS_URL: Final = re.compile(r"KINGDOM_(\w+)_REDIS_URL")
# Connections that a driver opens to each member besides its pool, for monitoring.
MONITORS: Final = 2


class UndeclaredError(ValueError):
    """The stack lacks a declaration that the forecast needs; the message names it."""


@dataclass(frozen=True)
class NodePool:
    """Nodes of one machine type. `usd` is the price of one node for an hour."""

    name: str
    min_nodes: int
    max_nodes: int
    cpu: float
    usd: float


@dataclass(frozen=True)
class Workload:
    """An autoscaled Deployment: CPU in cores, memory in bytes; `autoscaler` is the declared HPA spec."""

    name: str
    autoscaler: Mapping[str, Any]
    cpu_request: float
    cpu_limit: float
    memory_request: float
    pool: NodePool

    @property
    def min_replicas(self) -> int:
        """Lower bound of the autoscaler."""
        return int(self.autoscaler.get("minReplicas") or 1)

    @property
    def max_replicas(self) -> int:
        """Upper bound of the autoscaler."""
        return int(self.autoscaler["maxReplicas"])

    @property
    def pods_per_node(self) -> int:
        """Return the pods per node by CPU request, which is the scarcer resource of all pools here."""
        return max(1, int(self.pool.cpu / self.cpu_request))


@dataclass(frozen=True)
class DeclaredPlatform:
    """Capacity of a stack.

    `connections` is the limit of its database at the smallest tier, `pool` the maximum of a pod; `fixed_usd`
    is the price of an hour of everything but nodes; `client_rate` is the edge's limit of requests per second
    for one client address; `separate_redis` are the uses with a Redis of their own.
    """

    stack: str
    api: Workload
    worker: Workload
    connections: int
    pool: int
    fixed_usd: float
    client_rate: float | None
    separate_redis: frozenset[str] = frozenset()

    @property
    def connections_per_pod(self) -> int:
        """Return the connections of one pod to one member of the database."""
        return self.pool + MONITORS


def read(name: str, stack: Stack) -> DeclaredPlatform:
    """Read the capacity that a planned stack declares. Raises UndeclaredError."""
    try:
        return _read(name, stack)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        if isinstance(error, UndeclaredError):
            raise
        raise UndeclaredError(f"a size of {name} is not known yet or malformed: {error}") from error


def _read(name: str, stack: Stack) -> DeclaredPlatform:
    costs = monthly(stack)
    pools = {pool.labels.get(_pool_label(pool.labels), pool.name): pool for pool in _pools(stack)}
    node_urns = {pool.resource.urn for pool in pools.values()}
    prices = {
        pool.name: sum(
            line.maximum / pool.nodes for line in costs.lines if line.urn == pool.resource.urn and pool.nodes
        )
        / HOURS_PER_MONTH
        for pool in pools.values()
    }
    fixed = sum(line.minimum for line in costs.lines if line.urn not in node_urns) / HOURS_PER_MONTH

    def workload(of: str) -> Workload:
        scaler, deployment = _object(stack, "HorizontalPodAutoscaler", of), _object(stack, "Deployment", of)
        template = deployment.node.at("spec", "template", "spec")
        container = next(iter(template["containers"].items()))
        chosen = next(
            (
                pool
                for pool in pools.values()
                if any(pool.labels.get(key) == value.raw for key, value in template["nodeSelector"].entries())
            ),
            None,
        )
        if chosen is None:
            raise UndeclaredError(f"no node pool of {name} has the labels that the Deployment {of!r} selects")
        found = Workload(
            of,
            _plain(scaler.node["spec"]),
            _quantity(container.at("resources", "requests", "cpu")),
            _quantity(container.at("resources", "limits", "cpu")),
            _quantity(container.at("resources", "requests", "memory")),
            NodePool(
                chosen.name,
                chosen.min_nodes,
                chosen.nodes,
                float(chosen.per_node["cpu"]),
                prices[chosen.name],
            ),
        )
        if not found.cpu_request or not found.cpu_limit or found.max_replicas < found.min_replicas:
            raise UndeclaredError(f"the Deployment {of!r} has no CPU request and limit, or no replicas")
        return found

    return DeclaredPlatform(
        name,
        workload("api"),
        workload("worker"),
        _connections(stack),
        _pool(stack),
        fixed,
        _client_rate(stack),
        _separate_redis(stack),
    )


def _pools(stack: Stack) -> list[Pool]:
    found = [pool_of(each, {}) for each in stack.of_type("gcp:container/nodePool:NodePool")]
    return [pool for pool in found if pool is not None]


def _pool_label(labels: Mapping[str, str]) -> str:
    return next((key for key in labels if key.endswith("pool")), "")


def _object(stack: Stack, kind: str, name: str) -> Object:
    found = next((each for each in stack.of_kind(kind) if each.name == name), None)
    if found is None:
        raise UndeclaredError(f"the stack declares no {kind} {name!r}")
    return found


def _quantity(node: Node) -> float:
    return float(parse_quantity(str(node.raw)) or 0) if node.present else 0.0


def _plain(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = node.raw
    return found


def _connections(stack: Stack) -> int:
    for resource in stack.of_type("mongodbatlas:index/advancedCluster:AdvancedCluster"):
        for shard in resource.node["replicationSpecs"].items():
            for region in shard["regionConfigs"].items():
                size = region["electableSpecs"]["instanceSize"].text()
                min_size = region["autoScaling"]["computeMinInstanceSize"].text() or size
                if min_size not in ATLAS_CONNECTIONS:
                    known = ", ".join(ATLAS_CONNECTIONS)
                    raise UndeclaredError(
                        f"the connections of the Atlas tier {min_size!r} are not known here; known: {known}"
                    )
                return ATLAS_CONNECTIONS[min_size]
    raise UndeclaredError("the stack declares no Atlas cluster")


def _pool(stack: Stack) -> int:
    for item in stack.of_kind("ConfigMap"):
        value = item.node.at("data", "KINGDOM_MONGODB_POOL")
        if value.present:
            return int(str(value.raw))
    raise UndeclaredError("no ConfigMap of the stack sets KINGDOM_MONGODB_POOL")


def _separate_redis(stack: Stack) -> frozenset[str]:
    """Return the uses for which a ConfigMap names a Redis, as in `KINGDOM_QUEUE_REDIS_URL`."""
    found = (
        _REDIS_URL.fullmatch(key)
        for item in stack.of_kind("ConfigMap")
        for key, _ in item.node["data"].entries()
    )
    return frozenset(each[1].lower() for each in found if each is not None)


def _client_rate(stack: Stack) -> float | None:
    """Return the strictest limit of requests per second and client for a whole API path at the edge."""
    found = []
    for resource in stack.of_type("cloudflare:index/ruleset:Ruleset"):
        for rule in resource.node["rules"].items():
            limit = rule["ratelimit"]
            if limit.present and '/v1/"' in rule["expression"].text():
                found.append(limit["requestsPerPeriod"].number() / (limit["period"].number() or 1))
    return min(found, default=None)
