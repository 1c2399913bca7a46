"""Memorystore for Redis: the second cache layer, the queues and the rate limits."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import redis

from infra.component import Component, Environment
from infra.kms import Keys, Use
from infra.network import Network
from infra.settings.platform import CacheSettings
from infra.settings.types import RedisUse


@dataclass(frozen=True, slots=True)
class CacheArgs:
    """The environment, the network that clients are in, the settings, and the size in GB.

    `use` is the only use of the instance; None: the instance serves every use that has no instance of its
    own.
    """

    environment: Environment
    network: Network
    keys: Keys
    settings: CacheSettings
    memory_gb: int
    use: RedisUse | None = None


class Cache(Component):
    """A highly available Redis that is reachable from the VPC only, over TLS and with AUTH.

    `url` contains no password; `auth` is the AUTH string, a secret; `authorities` are the CA certificates to
    trust, as PEM.
    """

    def __init__(self, name: str, args: CacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:cache:Cache", name, opts)
        environment, settings = args.environment, args.settings
        memory = args.memory_gb
        readable = memory >= 5  # Memorystore offers read replicas from 5 GB on
        instance = redis.Instance(
            name,
            name="kingdom" if args.use is None else f"kingdom-{args.use}",
            region=environment.region,
            tier="STANDARD_HA",  # the replica in another zone takes over automatically
            memory_size_gb=memory,
            redis_version=settings.version,
            read_replicas_mode="READ_REPLICAS_ENABLED" if readable else "READ_REPLICAS_DISABLED",
            replica_count=settings.replicas if readable else 1,
            connect_mode="PRIVATE_SERVICE_ACCESS",  # not reachable from outside the VPC
            authorized_network=args.network.network_id,
            auth_enabled=True,  # network access alone does not grant access to the data
            transit_encryption_mode="SERVER_AUTHENTICATION",  # the default is unencrypted
            # Exported snapshots cannot be decrypted without the key.
            customer_managed_key=args.keys.ids[Use.CACHE],
            # A restarted instance loads the last snapshot; with an empty cache, every read would go to the
            # database.
            persistence_config={"persistence_mode": "RDB", "rdb_snapshot_period": "ONE_HOUR"},
            # Job queues have no TTL, so they are never evicted.
            redis_configs={"maxmemory-policy": "volatile-lru"},
            maintenance_policy={
                "weekly_maintenance_windows": [{"day": "SUNDAY", "start_time": {"hours": 3, "minutes": 0}}]
            },
            deletion_protection=environment.protect,
            labels=environment.label("cache"),
            opts=self.child(
                protect=environment.protect,
                # `pulumi up --replace` creates first by default, and a name in use is refused with 409.
                delete_before_replace=True,
                depends_on=[args.network.peering, *args.keys.ready[Use.CACHE]],
            ),
        )
        self.instance = instance
        self.port = instance.port
        self.url = pulumi.Output.format("rediss://{0}:{1}/0", instance.host, instance.port)
        self.auth = pulumi.Output.secret(instance.auth_string)
        self.authorities = instance.server_ca_certs.apply(
            lambda found: "\n".join(ca.cert or "" for ca in found)
        )
        self.register_outputs({"url": self.url})
