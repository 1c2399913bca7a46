"""The service on the cluster: everything that runs in the namespace."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core import v1 as core

from infra.autoscaling import Scaling, ScalingArgs
from infra.cache import Cache
from infra.cluster import Cluster
from infra.component import Component, Environment
from infra.database import Database
from infra.gateway import Gateway, GatewayArgs
from infra.identity import Identity
from infra.isolation import Isolation, IsolationArgs
from infra.namespace import Namespace, NamespaceArgs, kubernetes_labels
from infra.network import Network
from infra.origin import Origin
from infra.pools import ON_DEMAND, SPOT
from infra.service import Role, RoleArgs
from infra.settings import Settings
from infra.sizing import REDIS_POOL, Sizing
from infra.storage import Storage

CONFIGURATION = "configuration"


@dataclass(frozen=True, slots=True)
class WorkloadArgs:
    """The parts of the platform that the service stands on."""

    environment: Environment
    settings: Settings
    sizing: Sizing
    network: Network
    cluster: Cluster
    database: Database
    cache: Cache
    storage: Storage
    identity: Identity
    origin: Origin


class Workload(Component):
    """Namespace, configuration, the roles with their autoscalers, network policies and the gateway."""

    def __init__(self, name: str, args: WorkloadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        provided = pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(providers=[args.cluster.provider])
        )
        super().__init__(name, provided)
        environment, settings = args.environment, args.settings.workload

        namespace = Namespace(
            "namespace", NamespaceArgs(environment, settings, args.sizing.quota), self.child()
        )
        data = self._environment_variables(args)
        config = core.ConfigMap(
            "configuration",
            metadata={
                "name": CONFIGURATION,
                "namespace": namespace.metadata_name,
                "labels": kubernetes_labels(environment),
            },
            data=data,
            opts=self.child(depends_on=namespace.ready),
        )
        digest = pulumi.Output.json_dumps(data, sort_keys=True).apply(
            lambda text: hashlib.sha256(text.encode()).hexdigest()
        )
        for role, replicas, pool in (("api", settings.api, ON_DEMAND), ("worker", settings.worker, SPOT)):
            deployed = Role(
                role,
                RoleArgs(
                    environment,
                    namespace,
                    args.identity,
                    settings,
                    replicas,
                    CONFIGURATION,
                    config,
                    digest,
                    pool,
                ),
                self.child(depends_on=args.database.ready),
            )
            Scaling(f"{role}-scaling", ScalingArgs(environment, namespace, deployed, replicas), self.child())
        Isolation(
            "isolation",
            IsolationArgs(
                environment,
                namespace,
                args.network.private_services,
                args.cache.port,
                args.database.destination,
            ),
            self.child(),
        )
        Gateway(
            "gateway",
            GatewayArgs(environment, namespace, args.origin, args.settings.edge, settings),
            self.child(),
        )
        self.namespace = namespace.metadata_name
        self.register_outputs({"namespace": self.namespace})

    def _environment_variables(self, args: WorkloadArgs) -> dict[str, pulumi.Input[str]]:
        """Everything the service must know that is no secret."""
        settings = args.settings
        return {
            "KINGDOM_ENVIRONMENT": args.environment.name,
            "KINGDOM_PUBLIC_URL": settings.edge.url,
            "KINGDOM_REDIS_URL": args.cache.url,
            "KINGDOM_REDIS_POOL": str(REDIS_POOL),
            "KINGDOM_MONGODB_POOL": str(args.sizing.mongodb_pool),
            "KINGDOM_MONGODB_URL": args.database.url,
            "KINGDOM_MONGODB_DATABASE": settings.database.name,
            "KINGDOM_MONGODB_AUTH": settings.database.auth.value,
            "KINGDOM_STORAGE_BUCKET": args.storage.bucket,
            "KINGDOM_STORAGE_ENDPOINT": args.storage.endpoint,
            "KINGDOM_LOG_LEVEL": settings.workload.log_level.value,
            "KINGDOM_DRAIN_SECONDS": str(settings.workload.drain_seconds),
        }
