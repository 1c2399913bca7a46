"""Monthly cost of a stack at its minimum and maximum scale, by the dated list in ``prices.json``.

Every price in the list names its source, the date it is of, its currency, region and unit. List prices: no
discount for commitment or sustained use. Resources without a price, or paid by use, are listed and not
estimated; if a price is known for another region only, it is used, and the line names that region. The cost
of requests is estimated in ``usage_estimate.py`` and is part of the sums.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from policies.model.node_pools import pool_of
from policies.model.stack import Object, Resource, Stack, objects_of
from policies.pricing.price_list import price_list
from policies.pricing.usage_estimate import usage

# Capacity tiers by GiB: https://cloud.google.com/memorystore/docs/redis/pricing
_REDIS_TIERS: Final = ((4, "M1"), (10, "M2"), (35, "M3"), (100, "M4"))
# GB of disk in the price of a tier: https://www.mongodb.com/pricing
_ATLAS_DISK: Final = {"M10": 10, "M20": 20, "M30": 40, "M40": 80, "M50": 160, "M60": 320, "M80": 750}
_NAT_NODES: Final = 32  # a NAT gateway is charged per node, up to this number
_FIRST_RULES: Final = 5  # forwarding rules that one price includes


@dataclass(frozen=True)
class Line:
    """One cost item: USD a month at the minimum and the maximum of nodes, replicas and tiers.

    `stand_in` names the region of the price if it is not the resource's own.
    """

    urn: str
    what: str
    minimum: float
    maximum: float
    stand_in: str = ""


@dataclass(frozen=True)
class Unpriced:
    """A resource that has or may have a cost and is in no sum; `why` gives the rate if the list has it."""

    urn: str
    why: str


@dataclass(frozen=True)
class Costs:
    """Cost items of a stack, and the resources in none of them. Amounts are USD a month of 730 hours."""

    lines: tuple[Line, ...]
    unpriced: tuple[Unpriced, ...]
    dated: str

    @property
    def minimum(self) -> float:
        return sum(line.minimum for line in self.lines)

    @property
    def maximum(self) -> float:
        return sum(line.maximum for line in self.lines)


def monthly(stack: Stack) -> Costs:
    """Return the monthly cost of the resources of `stack`. Those with unknown values are `unpriced`."""
    found: list[Line | Unpriced] = []
    for resource in sorted(stack.resources, key=lambda item: item.urn):
        found.extend(_priced(resource, stack))
    found.extend(_load_balancers(stack))
    found.extend(Line(item.urn, item.what, item.minimum, item.maximum) for item in usage(stack))
    zones = [item.urn for item in stack.resources if item.type.startswith("cloudflare:")]
    if zones and not any(edge.node["plan"].text() for edge in stack.of_type(_EDGE)):
        found.append(Unpriced(min(zones), "Cloudflare: the zone's plan is not declared here"))
    return Costs(
        tuple(item for item in found if isinstance(item, Line)),
        tuple(item for item in found if isinstance(item, Unpriced)),
        price_list().dated,
    )


def _priced(resource: Resource, stack: Stack) -> Iterator[Line | Unpriced]:
    if resource.type.startswith("kubernetes:"):
        return  # pods are charged as nodes; load balancers are counted together
    pricer = _PRICERS.get(resource.type)
    if pricer is not None:
        yield from pricer(resource, stack)
    elif resource.type in _BY_USE:
        yield Unpriced(resource.urn, _BY_USE[resource.type])
    elif not _is_free(resource.type):
        yield Unpriced(resource.urn, f"no price in the list for {resource.type}")


def _hourly(
    resource: Resource | Object,
    what: str,
    name: str,
    region: str,
    minimum: float,
    maximum: float,
) -> Line | Unpriced:
    """Return a cost item of a minimum and a maximum number of units, each charged by the hour."""
    return _position(resource, what, name, region, minimum, maximum, price_list().hours)


def _position(
    resource: Resource | Object,
    what: str,
    name: str,
    region: str,
    minimum: float,
    maximum: float,
    hours: float = 1,
) -> Line | Unpriced:
    price = price_list().find(name, region)
    if price is None:
        return Unpriced(resource.urn, f"{what}: no price in the list for {name}")
    stand_in = "" if price.region in (region, "global") else price.region
    return Line(resource.urn, what, price.usd * minimum * hours, price.usd * maximum * hours, stand_in)


def _region(location: str) -> str:
    """Return the region of a region or zone."""
    return location.rsplit("-", 1)[0] if location.count("-") > 1 else location


def _cluster(resource: Resource, stack: Stack) -> Iterator[Line | Unpriced]:
    region = _region(resource.node["location"].text())
    yield _hourly(resource, "GKE management fee", "gke/cluster", region, 1, 1)
    if resource.node.at("addonsConfig", "gkeBackupAgentConfig", "enabled").flag():
        yield Unpriced(
            resource.urn, "Backup for GKE: paid by the pod and the GiB stored; no price in the list"
        )


def _node_pool(resource: Resource, stack: Stack) -> Iterator[Line | Unpriced]:
    pool = pool_of(resource, {})
    if pool is None or not resource.node["location"].known():
        yield Unpriced(resource.urn, "nodes: the machine type or location is not known")
        return
    region = _region(resource.node["location"].text())
    kind = "spot" if pool.spot else "on-demand"
    what = f"{pool.min_nodes} to {pool.nodes} nodes {pool.machine}, {kind}"
    yield _hourly(resource, what, f"gce/{pool.machine}/{kind}", region, pool.min_nodes, pool.nodes)
    config = resource.node["nodeConfig"]
    boot = config["bootDisk"]
    size = boot["sizeGb"].number() or config["diskSizeGb"].number(100)
    disk = boot["diskType"].text() or config["diskType"].text() or "pd-balanced"
    yield _position(
        resource,
        f"{size:g} GiB {disk} a node",
        f"disk/{disk}",
        region,
        size * pool.min_nodes,
        size * pool.nodes,
    )


def _redis(resource: Resource, stack: Stack) -> Iterator[Line | Unpriced]:
    node = resource.node
    if not (node["memorySizeGb"].known() and node["tier"].known()):
        yield Unpriced(resource.urn, "Redis: its size is not known")
        return
    gib, tier = node["memorySizeGb"].number(), node["tier"].text() or "BASIC"
    capacity = next((name for maximum, name in _REDIS_TIERS if gib <= maximum), "M5")
    region = node["region"].text()
    yield _hourly(
        resource, f"Redis {tier} {gib:g} GiB ({capacity})", f"redis/{tier}/{capacity}", region, gib, gib
    )
    further = node["replicaCount"].integer(1) - 1
    if tier == "STANDARD_HA" and further > 0:
        # A node of the Standard tier costs what one of the Basic tier does: M2 and M3 cost twice as much.
        yield _hourly(
            resource, f"Redis: {further} further read replica", f"redis/BASIC/{capacity}", region, gib, gib
        )


def _atlas(resource: Resource, stack: Stack) -> Iterator[Line | Unpriced]:
    """Yield the cost of Atlas clusters: a tier of three members, including the disk of the tier's size."""
    for shard in resource.node["replicationSpecs"].items():
        for region in shard["regionConfigs"].items():
            specs, scaling = region["electableSpecs"], region["autoScaling"]
            size = specs["instanceSize"].text()
            minimum = scaling["computeMinInstanceSize"].text() or size
            maximum = scaling["computeMaxInstanceSize"].text() or size
            nodes = specs["nodeCount"].number(3)
            for line in _atlas_members(resource, minimum, maximum, nodes, region["regionName"].text()):
                yield line
                features = _security_features(resource, stack)
                if isinstance(line, Line) and features:
                    yield _advanced_security(line, " and ".join(features))
            disk, included = specs["diskSizeGb"].number(), _ATLAS_DISK.get(minimum, 0)
            if disk > included:
                what = f"Atlas: {disk:g} GB of disk where {minimum} has {included}"
                extra = (disk - included) * nodes / 3
                yield _hourly(resource, what, "atlas/disk", region["regionName"].text(), extra, extra)
    if resource.node["backupEnabled"].flag():
        yield Unpriced(resource.urn, "Atlas backups: paid by the GB stored; no price in the list")


def _atlas_members(
    resource: Resource, minimum: str, maximum: str, nodes: float, region: str
) -> Iterator[Line | Unpriced]:
    small = _hourly(resource, f"Atlas {minimum}", f"atlas/{minimum}", region, nodes / 3, nodes / 3)
    large = _hourly(resource, f"Atlas {maximum}", f"atlas/{maximum}", region, nodes / 3, nodes / 3)
    if isinstance(small, Line) and isinstance(large, Line):
        yield Line(
            resource.urn,
            f"Atlas {minimum} to {maximum}, {nodes:g} members",
            small.minimum,
            large.maximum,
            small.stand_in,
        )
    else:
        yield small if isinstance(small, Unpriced) else large


def _security_features(cluster: Resource, stack: Stack) -> list[str]:
    """The features of a cluster that together add one share to its price.

    Atlas' billing documentation names no share for auditing alone: it is assumed to be that of a customer's
    key.
    """
    key = cluster.node["encryptionAtRestProvider"].text() not in ("", "NONE")
    audited = any(item.node["enabled"].flag() for item in stack.of_type(_AUDITING))
    names = ("encryption under a customer's key", key), ("auditing", audited)
    return [name for name, used in names if used]


def _advanced_security(cluster: Line, features: str) -> Line | Unpriced:
    """The share of a cluster's price that Atlas adds for these features."""
    price = price_list().find("atlas/customer-key", "global")
    if price is None:
        return Unpriced(cluster.urn, f"Atlas with {features}: paid as a share of the cluster's price")
    return Line(
        cluster.urn,
        f"Atlas: {price.usd:.0%} for {features}",
        cluster.minimum * price.usd,
        cluster.maximum * price.usd,
        cluster.stand_in,
    )


def _nat(resource: Resource, stack: Stack) -> Iterator[Line | Unpriced]:
    pools = [pool for item in stack.of_type(_NODE_POOL) if (pool := pool_of(item, {})) is not None]
    minimum, maximum = (
        min(_NAT_NODES, count) / _NAT_NODES
        for count in (sum(pool.min_nodes for pool in pools), sum(pool.nodes for pool in pools))
    )
    region = resource.node["region"].text()
    yield _hourly(resource, "Cloud NAT for the nodes", "nat/gateway", region, minimum, maximum)
    yield Unpriced(resource.urn, _by_use("traffic through Cloud NAT", "nat/data", region))


def _address(resource: Resource, stack: Stack) -> Iterator[Line | Unpriced]:
    if resource.node["addressType"].text() != "INTERNAL":
        region = resource.node["region"].text()
        yield _hourly(resource, "static external address", "address/external", region, 1, 1)


def _forwarding_rule(resource: Resource, stack: Stack) -> Iterator[Line | Unpriced]:
    region = resource.node["region"].text()
    yield _hourly(resource, "endpoint or forwarding rule", "forwarding-rule/regional", region, 1, 1)


def _bucket(resource: Resource, stack: Stack) -> Iterator[Line | Unpriced]:
    kind = resource.node["storageClass"].text() or "STANDARD"
    location = resource.node["location"].text()
    region = location if location in ("EU", "US", "ASIA") else location.lower()
    yield Unpriced(resource.urn, _by_use(f"storage, {kind} in {location}", f"bucket/{kind}", region))


def _key(resource: Resource, stack: Stack) -> Iterator[Line | Unpriced]:
    level = resource.node.at("versionTemplate", "protectionLevel").text() or "SOFTWARE"
    yield _position(resource, f"key version, {level}", f"kms/{level}", "", 1, 1)


def _secret_version(resource: Resource, stack: Stack) -> Iterator[Line | Unpriced]:
    yield _position(resource, "secret version", "secret/version", "", 1, 1)


def _edge(resource: Resource, stack: Stack) -> Iterator[Line | Unpriced]:
    """Yield the cost of the Cloudflare zone's plan, which is an output of the edge component."""
    plan = resource.node["plan"].text()
    if plan == "enterprise":
        yield Unpriced(resource.urn, "Cloudflare's Enterprise plan: paid by contract")
    elif plan not in ("", "free"):
        yield _position(resource, f"Cloudflare plan {plan}", f"cloudflare/plan/{plan}", "global", 1, 1)


def _zone(resource: Resource, stack: Stack) -> Iterator[Line | Unpriced]:
    yield _position(resource, "DNS zone", "dns/zone", "", 1, 1)


def _registry(resource: Resource, stack: Stack) -> Iterator[Line | Unpriced]:
    yield Unpriced(resource.urn, _by_use("images", "registry/storage", resource.node["location"].text()))


def _load_balancers(stack: Stack) -> Iterator[Line | Unpriced]:
    """Yield the forwarding rules of gateways and load balancer Services: the first five share one price."""
    rules = [
        item
        for resource in stack.resources
        for item in objects_of(resource)
        for _ in range(_forwarding_rules(item))
    ]
    if not rules:
        return
    what = f"load balancer, {len(rules)} forwarding rule{'s' if len(rules) > 1 else ''}"
    yield _hourly(rules[0], what, "load-balancer/first-five", "", 1, 1)
    further = len(rules) - _FIRST_RULES
    if further > 0:
        yield _hourly(
            rules[0], f"{further} forwarding rules more", "load-balancer/further", "", further, further
        )


def _forwarding_rules(item: Object) -> int:
    if item.kind == "Gateway":
        listeners = item.node.at("spec", "listeners").fresh()
        return len({str(listener["port"].raw) for listener in listeners.items()})
    if item.kind == "Service" and item.node.at("spec", "type").raw == "LoadBalancer":
        return 1
    return 0


def _by_use(what: str, name: str, region: str) -> str:
    price = price_list().find(name, region)
    if price is None:
        return f"{what}: paid by use; no price in the list for {name}"
    where = "" if price.region in (region, "global") else f" (of {price.region})"
    return f"{what}: paid by use, {price.usd:g} USD a {price.unit}{where}"


_NODE_POOL: Final = "gcp:container/nodePool:NodePool"
_EDGE: Final = "kingdom:edge:Edge"
_AUDITING: Final = "mongodbatlas:index/auditing:Auditing"
_PRICERS: Final[dict[str, Callable[[Resource, Stack], Iterator[Line | Unpriced]]]] = {
    "gcp:artifactregistry/repository:Repository": _registry,
    "gcp:compute/address:Address": _address,
    "gcp:compute/forwardingRule:ForwardingRule": _forwarding_rule,
    "gcp:compute/routerNat:RouterNat": _nat,
    "gcp:container/cluster:Cluster": _cluster,
    _NODE_POOL: _node_pool,
    "gcp:dns/managedZone:ManagedZone": _zone,
    "gcp:kms/cryptoKey:CryptoKey": _key,
    "gcp:redis/instance:Instance": _redis,
    "gcp:secretmanager/secretVersion:SecretVersion": _secret_version,
    "gcp:storage/bucket:Bucket": _bucket,
    _EDGE: _edge,
    "mongodbatlas:index/advancedCluster:AdvancedCluster": _atlas,
}
# Charged by traffic or stored data, which a plan does not contain; not in the list.
_BY_USE: Final = {
    "cloudflare:index/loadBalancer:LoadBalancer": "Cloudflare load balancing: paid by the endpoint and query",
    "cloudflare:index/loadBalancerMonitor:LoadBalancerMonitor": "Cloudflare load balancing: paid by check",
    "cloudflare:index/loadBalancerPool:LoadBalancerPool": "Cloudflare load balancing: paid by the endpoint",
    "cloudflare:index/zoneCacheReserve:ZoneCacheReserve": "Cache Reserve: paid by stored GB and by operation",
    "gcp:gkebackup/backupPlan:BackupPlan": "Backup for GKE: paid by the pod and the GiB stored",
    "gcp:monitoring/alertPolicy:AlertPolicy": "alert policy: paid by the condition and the series read",
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": "uptime check: paid by the execution",
    "gcp:recaptcha/enterpriseKey:EnterpriseKey": "reCAPTCHA: paid by the assessment",
    "mongodbatlas:index/privateLinkEndpoint:PrivateLinkEndpoint": "Atlas private endpoint: paid by the hour",
    "gcp:binaryauthorization/policy:Policy": "Binary Authorization: paid by the cluster",
    "gcp:pubsub/topic:Topic": "Pub/Sub: paid by the GiB",
}
# Types that are not billed.
_FREE: Final = re.compile(
    r"kingdom:.*|pulumi:.*|random:.*"
    r"|[^:]+:[^:]*(?:Iam|IAM|iAM)[^:]*:.*"
    r"|gcp:(?:projects|serviceaccount|servicenetworking|firebase|firebaserules|certificatemanager)/.*"
    r"|gcp:iam/workloadIdentityPool.*"
    r"|gcp:compute/(?:firewall|globalAddress|network|router|sSLPolicy|subnetwork):.*"
    r"|gcp:dns/(?:policy|recordSet):.*"
    r"|gcp:gkebackup/restorePlan:.*"
    r"|gcp:kms/keyRing:.*"
    r"|gcp:monitoring/(?:dashboard|notificationChannel|slo|customService|genericService):.*"
    r"|gcp:secretmanager/secret:.*"
    r"|gcp:compute/securityPolicy:.*|mongodbatlas:index/encryptionAtRest:.*"
    r"|cloudflare:index/(?:authenticatedOriginPulls|certificatePack|dnsRecord|notificationPolicy"
    r"|regionalTieredCache|ruleset|tieredCache|urlNormalization|zoneCacheVariants|zoneDnssec"
    r"|zoneSetting)\w*:.*"
    r"|mongodbatlas:index/(?:alertConfiguration|auditing|cloudBackupSchedule|cloudProviderAccess.*|customDbRole"
    r"|databaseUser|maintenanceWindow|privateLinkEndpointService|project|projectIpAccessList"
    r"|x509AuthenticationDatabaseUser):.*"
)


def _is_free(resource_type: str) -> bool:
    return _FREE.fullmatch(resource_type) is not None
