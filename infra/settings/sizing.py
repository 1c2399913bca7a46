"""Sizes that are derived from replicas and requests: quotas, node pools, connection pools, Redis memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from infra.settings import Settings
from infra.settings.load_test import RunSettings
from infra.settings.machine_types import allocatable
from infra.settings.platform import ClusterSettings, DatabaseSettings, PoolSettings
from infra.settings.roles import LOAD_TEST, MONITOR, MONITOR_POOL, ROLES, NodePoolKind
from infra.settings.service import ResourceSettings, RoleSettings, WorkloadSettings
from infra.settings.types import AtlasSize, RedisUse

# Maximum connections per node of each Atlas tier: https://www.mongodb.com/docs/atlas/reference/atlas-limits/
ATLAS_CONNECTIONS = {
    AtlasSize.M10: 1_500,
    AtlasSize.M20: 3_000,
    AtlasSize.M30: 3_000,
    AtlasSize.M40: 6_000,
    AtlasSize.M50: 16_000,
    AtlasSize.M60: 32_000,
    AtlasSize.M80: 96_000,
    AtlasSize.M200: 128_000,
}
POOLED_PERCENT = 75  # below the warning of ALR5: full pools cause no page, and operators can still connect
MONITORS = 2  # monitoring connections of a driver to each member, besides its pool
MAX_POOL = 100
MIN_POOL = 5

REDIS_POOL = 32  # maximum connections of one pod
REDIS_CONNECTION_KI = 40  # client buffers of one connection
REDIS_HEADROOM = 1.5  # Memorystore recommends a third for fragmentation, replication and snapshots

MAX_PODS_PER_NODE = 64


@dataclass(frozen=True, slots=True)
class ResourceTotals:
    """Total resources of a set of pods: pods, CPU in thousandths, memory and ephemeral storage in MiB."""

    pods: int
    cpu_milli: int
    cpu_limit_milli: int
    memory_mi: int
    scratch_mi: int

    def __add__(self, other: ResourceTotals) -> ResourceTotals:
        return ResourceTotals(
            self.pods + other.pods,
            self.cpu_milli + other.cpu_milli,
            self.cpu_limit_milli + other.cpu_limit_milli,
            self.memory_mi + other.memory_mi,
            self.scratch_mi + other.scratch_mi,
        )

    def hard(self) -> dict[str, str]:
        """The same as `spec.hard` of a ResourceQuota."""
        return {
            "pods": str(self.pods),
            "requests.cpu": f"{self.cpu_milli}m",
            "limits.cpu": f"{self.cpu_limit_milli}m",
            "requests.memory": f"{self.memory_mi}Mi",
            "limits.memory": f"{self.memory_mi}Mi",
            "requests.ephemeral-storage": f"{self.scratch_mi}Mi",
            "limits.ephemeral-storage": f"{self.scratch_mi}Mi",
        }


NO_RESOURCES = ResourceTotals(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Nodes:
    """Minimum and maximum number of nodes of a pool in the region."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Sizing:
    """Derived sizes of one environment.

    `quota` is that of the namespace, `on_demand` and `spot` the bounds of the node pools, `mongodb_pool` the
    maximum connections of a pod to one member, `redis_gb` the memory of the cache, `separate_redis_gb` that
    of instances with one use.
    """

    quota: ResourceTotals
    on_demand: Nodes
    spot: Nodes
    mongodb_pool: int
    redis_gb: int
    separate_redis_gb: Mapping[RedisUse, int]

    @classmethod
    def of(cls, settings: Settings) -> Sizing:
        """Derive all sizes from the settings."""
        workload, cluster, monitor = settings.workload, settings.cluster, settings.observability.monitor
        quota = sum((peak_resources(role, rolling=True) for role in workload.roles.values()), NO_RESOURCES)
        single = {MONITOR_POOL: [monitor.resources]} if monitor is not None else {}
        on_demand, spot = (
            nodes(on_pool(workload, kind), pool, cluster, single.get(kind, []))
            for kind, pool in (
                (NodePoolKind.ON_DEMAND, cluster.on_demand),
                (NodePoolKind.SPOT, cluster.spot),
            )
        )
        return cls(
            quota=quota if monitor is None else quota + total(1, monitor.resources),
            on_demand=on_demand,
            spot=spot,
            mongodb_pool=mongodb_pool(settings),
            redis_gb=redis_gb(settings),
            separate_redis_gb={use: separate_redis_gb(settings, use) for use in settings.cache.separate},
        )


def surge(role: RoleSettings) -> int:
    """Return the pods that a rollout may add at `maxReplicas`; Kubernetes rounds a percentage up."""
    return -(-role.max_replicas * role.surge_percent // 100)


def peak(role: RoleSettings) -> int:
    """Return the maximum number of pods of a role: the quota must permit a rollout at `maxReplicas`."""
    return role.max_replicas + surge(role)


def peak_resources(role: RoleSettings, *, rolling: bool = False) -> ResourceTotals:
    """Return the total resources of a role at its peak.

    While a Deployment is `rolling` out, the pods of a wave still terminate, and count against the quota, when
    their replacements are created (https://github.com/kubernetes/kubernetes/issues/98656).
    """
    return total(peak(role) + (surge(role) if rolling else 0), role.resources)


def total(pods: int, resources: ResourceSettings) -> ResourceTotals:
    """Return the total resources of a number of equal pods."""
    return ResourceTotals(
        pods,
        pods * resources.cpu_milli,
        pods * resources.cpu_limit_milli,
        pods * resources.memory_mi,
        pods * resources.scratch_mi,
    )


def pods_per_node(resources: ResourceSettings, pool: PoolSettings) -> int:
    """Return the number of pods with these requests that fit on one node."""
    share = allocatable(pool.machine_type)
    by_request = min(share.cpu_milli // resources.cpu_milli, share.memory_mi // resources.memory_mi)
    return min(by_request, MAX_PODS_PER_NODE)


def on_pool(workload: WorkloadSettings, kind: NodePoolKind) -> list[RoleSettings]:
    """Return the settings of the roles that run on the pool `kind`."""
    return [settings for name, settings in workload.roles.items() if ROLES[name].pool is kind]


def nodes(
    roles: Sequence[RoleSettings],
    pool: PoolSettings,
    cluster: ClusterSettings,
    single: Sequence[ResourceSettings] = (),
) -> Nodes:
    """Return the bounds of the pool that `roles` run on, with `single` pods that run at times.

    The minimum fits `minReplicas` and has one node in as many zones as there are replicas to spread. The
    maximum fits the peaks, rounded up to the same number in each zone, since the pool grows in balance. The
    estimate is conservative: roles share no node.
    """
    zones = len(cluster.zones)
    needed, peaks, spread = 0, len(single), 0
    for role in roles:
        held = max(pods_per_node(role.resources, pool), 1)
        needed += ceil(role.min_replicas / held)
        peaks += ceil(peak(role) / held)
        spread = max(spread, min(role.min_replicas, zones))
    least = max(needed, spread)
    return Nodes(least, max(ceil(peaks / zones) * zones, least))


def load_test_nodes(run: RunSettings) -> Nodes:
    """Return the bounds of the load test's pool: no node between runs, at most those that its pods need."""
    return Nodes(0, ceil((run.workers + 1) / max(pods_per_node(run.resources, run.pool), 1)))


def mongodb_pool(settings: Settings) -> int:
    """Return the maximum number of connections of one pod to one member of the cluster.

    All pods together stay below `POOLED_PERCENT` of the limit of the smallest tier, since autoscaling may
    have scaled the cluster down to it when the load rises.
    """
    pods = sum(map(peak, settings.workload.roles.values()))
    accepted = ATLAS_CONNECTIONS[settings.database.min_size] * POOLED_PERCENT // 100
    return min(accepted // pods - MONITORS, MAX_POOL)


def redis_gb(settings: Settings) -> int:
    """Return the memory of the cache in GB: the replicas' working sets, the queues, and client buffers.

    Queues with an instance of their own are not counted.
    """
    cache, workload = settings.cache, settings.workload
    with_working_set = [role for name, role in workload.roles.items() if ROLES[name].working_set]
    needed_mi = sum(map(peak, with_working_set)) * cache.working_set_mi
    if RedisUse.QUEUE not in cache.separate:
        needed_mi += cache.queue_mi
    return max(_with_buffers(settings, needed_mi), cache.min_gb)


def separate_redis_gb(settings: Settings, use: RedisUse) -> int:
    """Return the memory in GB of an instance with a single use: its queues, if any, and client buffers."""
    needed_mi = settings.cache.queue_mi if use is RedisUse.QUEUE else 0
    return max(_with_buffers(settings, needed_mi), settings.cache.separate[use])


def _with_buffers(settings: Settings, data_mi: int) -> int:
    pods = sum(map(peak, settings.workload.roles.values()))
    needed_mi = data_mi + pods * REDIS_POOL * REDIS_CONNECTION_KI / 1024
    return ceil(needed_mi * REDIS_HEADROOM / 1024)


def cross_field_errors(settings: Settings) -> list[tuple[str, object, str]]:
    """Settings that are valid by themselves but inconsistent: key, value and remedy of each."""
    found: list[tuple[str, object, str]] = []
    workload, cluster = settings.workload, settings.cluster
    pools = {
        NodePoolKind.ON_DEMAND: ("cluster.onDemand", cluster.on_demand),
        NodePoolKind.SPOT: ("cluster.spot", cluster.spot),
    }
    pods = [(name, ROLES[name].pool, role.resources) for name, role in workload.roles.items()]
    if (monitor := settings.observability.monitor) is not None:
        pods.append((MONITOR, MONITOR_POOL, monitor.resources))
    if (run := settings.loadtest.run) is not None:
        pools[NodePoolKind.LOAD_TEST] = ("loadtest.run.pool", run.pool)
        pods.append((LOAD_TEST, NodePoolKind.LOAD_TEST, run.resources))
        if settings.mail.confirm_addresses and not run.accounts_version:
            remedy = "signs accounts up, and mail.confirmAddresses refuses sign-ups without a mailed code: "
            remedy += "give the version of the secret kingdom-loadtest-accounts"
            found.append(("loadtest.run.accountsVersion", 0, remedy))
    for name, kind, resources in pods:
        key, pool = pools[kind]
        try:
            held = pods_per_node(resources, pool)
        except ValueError as error:
            found.append((f"{key}.machineType", pool.machine_type, str(error)))
            continue
        if held < 1:
            request = f"{resources.cpu_milli}m CPU and {resources.memory_mi} MiB"
            remedy = f"is too small for one pod of {name}, {request}: give a larger type or request less"
            found.append((f"{key}.machineType", pool.machine_type, remedy))
    found += _connections(settings.database, mongodb_pool(settings))
    ours = f"{settings.google.region}-docker.pkg.dev/{settings.google.project}/"
    if not workload.image.repository.startswith(ours):
        # The admission policy rejects other registries, and the deployer can push to no other.
        found.append(("workload.image.repository", workload.image.repository, f"must begin with {ours}"))
    return found


def _connections(database: DatabaseSettings, pool: int) -> list[tuple[str, object, str]]:
    if pool >= MIN_POOL:
        return []
    accepted = ATLAS_CONNECTIONS[database.min_size]
    remedy = (
        f"accepts {accepted} connections, which leaves each pod {max(pool, 0)} at maxReplicas; a pod needs "
        f"{MIN_POOL}: give a larger tier or fewer replicas"
    )
    return [("database.minSize", database.min_size.value, remedy)]
