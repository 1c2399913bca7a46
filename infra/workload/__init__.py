"""All Kubernetes resources of the service's namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra.cache import Cache
from infra.cluster import Cluster
from infra.component import Component, Environment
from infra.database import Database
from infra.delivery import Delivery
from infra.edge.address_ranges import CLOUDFLARE, LOAD_BALANCERS
from infra.edge.origin import Origin
from infra.network import Network
from infra.observability.signals import published
from infra.reports import Reports
from infra.service_identity import Identity
from infra.settings import Settings
from infra.settings.roles import MONITOR, ROLES
from infra.settings.shutdown_timing import Termination
from infra.settings.sizing import REDIS_POOL, Sizing
from infra.settings.types import RedisUse
from infra.storage import Storage
from infra.workload.autoscaling import Scaling, ScalingArgs
from infra.workload.config_maps import ConfigMaps, ConfigMapsArgs
from infra.workload.deployment import RoleArgs, RoleWorkload
from infra.workload.gateway import Gateway, GatewayArgs
from infra.workload.monitor import Monitor, MonitorArgs
from infra.workload.namespace import Namespace, NamespaceArgs
from infra.workload.network_policies import NetworkPolicies, NetworkPoliciesArgs
from infra.workload.pod_monitoring import PodMonitoring, PodMonitoringArgs
from infra.workload.priority_classes import PriorityClasses, PriorityClassesArgs


@dataclass(frozen=True, slots=True)
class WorkloadArgs:
    """The components of the platform that the service depends on."""

    environment: Environment
    settings: Settings
    sizing: Sizing
    network: Network
    cluster: Cluster
    database: Database
    cache: Cache
    separate_caches: Mapping[RedisUse, Cache]
    storage: Storage
    identity: Identity
    delivery: Delivery
    origin: Origin
    reports: Reports | None


class Workload(Component):
    """Namespace, configuration, roles with autoscalers, the monitor, network policies and the gateway."""

    def __init__(self, name: str, args: WorkloadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        provided = pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(providers=[args.cluster.provider])
        )
        super().__init__("kingdom:workload:Workload", name, provided)
        environment, settings = args.environment, args.settings.workload

        monitor = args.settings.observability.monitor
        pods = [role.resources for role in settings.roles.values()]
        if monitor is not None:
            pods.append(monitor.resources)
        namespace = Namespace(
            "namespace",
            NamespaceArgs(environment, settings.namespace, args.sizing.quota, pods),
            self.child(),
        )
        configuration = ConfigMaps(
            "configuration",
            ConfigMapsArgs(environment, namespace, variables(args), args.settings.observability.thresholds),
            self.child(),
        )
        priorities = PriorityClasses("priorities", PriorityClassesArgs(environment), self.child())
        self._roles(args, namespace, configuration, priorities)
        if monitor is not None and args.reports is not None:
            declared = published(settings.namespace, args.settings.observability)
            Monitor(
                MONITOR,
                MonitorArgs(
                    environment, namespace, args.reports, declared, settings, monitor, args.delivery.ready
                ),
                self.child(),
            )
            PodMonitoring(
                f"{MONITOR}-scraping", PodMonitoringArgs(environment, namespace, MONITOR), self.child()
            )
        NetworkPolicies(
            "isolation",
            NetworkPoliciesArgs(
                environment,
                namespace,
                args.network.private_services,
                [args.cache.port, *(each.port for each in args.separate_caches.values())],
                args.database.destination,
                args.settings.mail.port,
            ),
            self.child(),
        )
        Gateway(
            "gateway",
            GatewayArgs(environment, namespace, args.origin, args.settings.edge, settings),
            self.child(),
        )
        self.namespace = namespace.metadata_name
        self.ready = namespace.ready
        self.register_outputs({"namespace": self.namespace})

    def _roles(
        self,
        args: WorkloadArgs,
        namespace: Namespace,
        configuration: ConfigMaps,
        priorities: PriorityClasses,
    ) -> None:
        """Create the Deployment, the autoscalers and the PodMonitoring of each role."""
        environment, settings = args.environment, args.settings.workload
        for role, replicas in settings.roles.items():
            deployed = RoleWorkload(
                role,
                RoleArgs(
                    environment,
                    namespace,
                    args.identity,
                    settings,
                    replicas,
                    configuration,
                    ROLES[role].pool.value,
                    [*args.database.ready, *priorities.ready, *args.delivery.ready],
                ),
                self.child(),
            )
            Scaling(f"{role}-scaling", ScalingArgs(environment, namespace, deployed, replicas), self.child())
            PodMonitoring(f"{role}-scraping", PodMonitoringArgs(environment, namespace, role), self.child())


def variables(args: WorkloadArgs) -> dict[str, pulumi.Input[str]]:
    """Return the service's settings that are not secret, as environment variables."""
    settings = args.settings
    mail = settings.mail
    return {
        **(
            {}
            if not mail.server
            else {
                "KINGDOM_SMTP_URL": mail.server,
                "KINGDOM_MAIL_SENDER": mail.sender,
                "KINGDOM_CONFIRM_ADDRESSES": str(mail.confirm_addresses).lower(),
            }
        ),
        "KINGDOM_ENVIRONMENT": args.environment.name,
        "KINGDOM_PUBLIC_URL": settings.edge.url,
        "KINGDOM_TRUSTED_PROXIES": proxies(args.origin.address),
        "KINGDOM_LIMITS_FACTOR": f"{settings.workload.limits_factor:g}",
        "KINGDOM_CORS_ORIGINS": f"https://{settings.storage.apps.web}",
        "KINGDOM_REDIS_URL": args.cache.url,
        **{f"KINGDOM_{use.upper()}_REDIS_URL": each.url for use, each in args.separate_caches.items()},
        "KINGDOM_REDIS_POOL": str(REDIS_POOL),
        "KINGDOM_MONGODB_POOL": str(args.sizing.mongodb_pool),
        "KINGDOM_MONGODB_URL": args.database.url,
        "KINGDOM_MONGODB_DATABASE": settings.database.name,
        "KINGDOM_MONGODB_AUTH": settings.database.auth.value,
        "KINGDOM_INDEX_ADVISOR": settings.database.index_advisor.value,
        "KINGDOM_STORAGE_BUCKET": args.storage.bucket,
        "KINGDOM_STORAGE_ENDPOINT": args.storage.endpoint,
        "KINGDOM_LOG_LEVEL": settings.workload.log_level.value,
        "KINGDOM_DRAIN_SECONDS": str(settings.workload.drain_seconds),
        "KINGDOM_DEPENDENCY_SECONDS": f"{Termination.of(settings.workload).dependency_check:g}",
    }


def proxies(address: pulumi.Output[str]) -> pulumi.Output[str]:
    """Return the networks of trusted proxies: the edge, the load balancer, and the pod itself."""
    return pulumi.Output.concat(",".join(("127.0.0.0/8", *LOAD_BALANCERS, *CLOUDFLARE)), ",", address, "/32")
