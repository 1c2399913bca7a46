"""Pulumi program of one environment. Components are declared in the order of their dependencies."""

from __future__ import annotations

import pulumi

from infra.cache import Cache, CacheArgs
from infra.cluster import Cluster, ClusterArgs
from infra.cluster_backup import Backup, BackupArgs
from infra.database import Database, DatabaseArgs
from infra.delivery import Delivery, DeliveryArgs
from infra.edge import Edge, EdgeArgs
from infra.edge.origin import Origin, OriginArgs
from infra.kms import Keys, KeysArgs
from infra.loadtest import LoadTest, LoadTestArgs
from infra.network import Network, NetworkArgs
from infra.observability import Observability, ObservabilityArgs
from infra.project import Project, ProjectArgs, wait_for_apis
from infra.reports import Reports, ReportsArgs
from infra.service_identity import Identity, IdentityArgs
from infra.settings.loader import load
from infra.storage import Storage, StorageArgs
from infra.workload import Workload, WorkloadArgs

environment, settings, sizing = load()
monitor = settings.observability.monitor

foundation = Project("foundation", ProjectArgs(environment))
wait_for_apis(foundation.services)
keys = Keys("keys", KeysArgs(environment, settings.storage.location, foundation, monitor is not None))
network = Network("network", NetworkArgs(environment, settings.network))
cluster = Cluster(
    "cluster",
    ClusterArgs(environment, network, keys, settings.cluster, sizing, settings.workload.image.registry),
)
backup = Backup(
    "backup", BackupArgs(environment, keys, cluster, settings.workload.namespace, settings.backup)
)
delivery = Delivery(
    "delivery",
    DeliveryArgs(environment, keys, cluster.nodes, settings.workload.image, settings.delivery),
)
database = Database(
    "database", DatabaseArgs(environment, network, keys, settings.database, settings.observability)
)
cache = Cache("cache", CacheArgs(environment, network, keys, settings.cache, sizing.redis_gb))
separate_caches = {
    use: Cache(f"cache-{use}", CacheArgs(environment, network, keys, settings.cache, memory_gb, use))
    for use, memory_gb in sizing.separate_redis_gb.items()
}
storage = Storage("storage", StorageArgs(environment, keys, settings.storage, [cache.instance]))
secrets = {
    "redis-auth": cache.auth,
    "redis-ca.pem": cache.authorities,
    **{f"{use}-redis-auth": each.auth for use, each in separate_caches.items()},
    **{f"{use}-redis-ca.pem": each.authorities for use, each in separate_caches.items()},
    "mongodb-client.pem": database.certificate,
}
identity = Identity(
    "identity",
    IdentityArgs(
        environment,
        keys,
        settings.identity,
        settings.workload.namespace,
        storage.bucket,
        secrets,
        settings.mail.password_version,
    ),
)
reports = (
    Reports("reports", ReportsArgs(environment, keys, settings.workload.namespace, monitor))
    if monitor is not None
    else None
)
origin = Origin("origin", OriginArgs(environment, settings.edge.hostname))
workload = Workload(
    "workload",
    WorkloadArgs(
        environment,
        settings,
        sizing,
        network,
        cluster,
        database,
        cache,
        separate_caches,
        storage,
        identity,
        delivery,
        origin,
        reports,
    ),
)
if settings.loadtest.run is not None:
    LoadTest(
        "loadtest",
        LoadTestArgs(
            environment,
            keys,
            cluster,
            settings.cluster.zones,
            delivery,
            workload,
            settings.workload.image.registry,
            settings.loadtest.run,
        ),
    )
edge = Edge(
    "edge",
    EdgeArgs(environment, origin, settings.edge, settings.workload, settings.observability.page),
)
observability = Observability(
    "observability",
    ObservabilityArgs(environment, settings.edge, settings.workload.namespace, settings.observability),
)

pulumi.export("url", edge.url)
pulumi.export("cluster", cluster.cluster_name)
pulumi.export("namespace", workload.namespace)
pulumi.export("bucket", storage.bucket)
pulumi.export("apps", storage.apps)
pulumi.export("egressAddresses", network.egress_addresses)
pulumi.export("deployer", delivery.deployer)
pulumi.export("reader", delivery.reader)
pulumi.export("identityProvider", delivery.provider)
