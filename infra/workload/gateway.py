"""Ingress of the service: Service, Gateway, route, and the policies of the load balancer's backend."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core import v1 as core

from infra.component import Component, Environment
from infra.edge.origin import Origin
from infra.settings.platform import EdgeSettings
from infra.settings.roles import PUBLIC
from infra.settings.service import WorkloadSettings
from infra.settings.shutdown_timing import PROBE_FAILURES, Termination
from infra.settings.types import Algorithm
from infra.workload.deployment import READINESS_PATH
from infra.workload.namespace import Namespace, kubernetes_labels, selector
from infra.workload.pods import PORT, PORT_NAME

# Paths that the gateway routes. Health and metrics are not public.
ROUTED = ("/v1", "/docs", "/openapi.json")
AFFINITY_COOKIE = "kingdom-replica"
ALGORITHMS = {
    Algorithm.ROUND_ROBIN: "ROUND_ROBIN",
    Algorithm.LEAST_REQUEST: "LEAST_REQUEST",
    Algorithm.WEIGHTED: "WEIGHTED_ROUND_ROBIN",
}


@dataclass(frozen=True, slots=True)
class GatewayArgs:
    """The address, the certificate, the host name, and the settings of the backends."""

    environment: Environment
    namespace: Namespace
    origin: Origin
    edge: EdgeSettings
    settings: WorkloadSettings


class Gateway(Component):
    """Service, Gateway with a TLS listener only, route, and the policies of Google's load balancer."""

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:workload:Gateway", name, opts)
        namespace = args.namespace.metadata_name
        labels = kubernetes_labels(args.environment, PUBLIC)
        service = self._service(args, labels)
        gateway = CustomResource(
            name,
            api_version="gateway.networking.k8s.io/v1",
            kind="Gateway",
            metadata={
                "name": name,
                "namespace": namespace,
                "labels": labels,
                # The listener takes its certificate from this map.
                "annotations": {"networking.gke.io/certmap": args.origin.certificate_map},
            },
            spec={
                "gatewayClassName": "gke-l7-global-external-managed",
                "addresses": [{"type": "NamedAddress", "value": args.origin.address_name}],
                # No listener for plain HTTP: port 80 serves nothing.
                "listeners": [
                    {
                        "name": "https",
                        "protocol": "HTTPS",
                        "port": 443,
                        "hostname": args.edge.hostname,
                        "allowedRoutes": {"namespaces": {"from": "Same"}, "kinds": [{"kind": "HTTPRoute"}]},
                    }
                ],
            },
            opts=self.child(depends_on=args.namespace.ready),
        )
        CustomResource(
            f"{name}-tls",
            api_version="networking.gke.io/v1",
            kind="GCPGatewayPolicy",
            metadata={"name": name, "namespace": namespace, "labels": labels},
            spec={
                "targetRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name},
                "default": {"sslPolicy": args.origin.tls_policy},  # the default policy still accepts TLS 1.0
            },
            opts=self.child(depends_on=[gateway, service]),
        )
        CustomResource(
            f"{name}-api",
            api_version="gateway.networking.k8s.io/v1",
            kind="HTTPRoute",
            metadata={"name": PUBLIC, "namespace": namespace, "labels": labels},
            spec=route(name, args.edge.hostname),
            opts=self.child(depends_on=[gateway, service]),
        )
        self._backend_policies(args, labels, service)
        self.register_outputs({})

    def _service(self, args: GatewayArgs, labels: dict[str, str]) -> core.Service:
        """Create the Service of the API's pods."""
        return core.Service(
            PUBLIC,
            metadata={"name": PUBLIC, "namespace": args.namespace.metadata_name, "labels": labels},
            spec={
                "type": "ClusterIP",
                "selector": selector(PUBLIC),
                "ports": [
                    {
                        "name": "http",
                        "port": 80,
                        "target_port": PORT_NAME,
                        "protocol": "TCP",
                        "app_protocol": "http",
                    }
                ],
            },
            opts=self.child(depends_on=args.namespace.ready),
        )

    def _backend_policies(self, args: GatewayArgs, labels: dict[str, str], service: core.Service) -> None:
        """Create the health check, the backend policy and the traffic distribution of the API's service."""
        namespace = args.namespace.metadata_name
        termination = Termination.of(args.settings)
        target = {"group": "", "kind": "Service", "name": PUBLIC}
        CustomResource(
            f"{self.name}-health",
            api_version="networking.gke.io/v1",
            kind="HealthCheckPolicy",
            metadata={"name": PUBLIC, "namespace": namespace, "labels": labels},
            spec=health_check(target, termination),
            opts=self.child(depends_on=[service]),
        )
        CustomResource(
            f"{self.name}-backend",
            api_version="networking.gke.io/v1",
            kind="GCPBackendPolicy",
            metadata={"name": PUBLIC, "namespace": namespace, "labels": labels},
            spec=backend(args, target, termination),
            opts=self.child(depends_on=[service]),
        )
        CustomResource(
            f"{self.name}-distribution",
            api_version="networking.gke.io/v1",
            kind="GCPTrafficDistributionPolicy",
            metadata={"name": PUBLIC, "namespace": namespace, "labels": labels},
            spec={
                "targetRefs": [target],
                "default": distribution(args.settings),
            },
            opts=self.child(depends_on=[service]),
        )


def health_check(target: dict[str, str], termination: Termination) -> dict[str, object]:
    """Return the load balancer's health check: the readiness probe of the pods."""
    return {
        "targetRef": target,
        "default": {
            # The load balancer does not use pods' probes and would check `/`.
            "checkIntervalSec": termination.probe,
            "timeoutSec": termination.probe_timeout,
            "healthyThreshold": 1,
            "unhealthyThreshold": PROBE_FAILURES,
            "logConfig": {"enabled": True},  # state changes are logged, with the reason
            "config": {
                "type": "HTTP",
                "httpHealthCheck": {
                    "portSpecification": "USE_FIXED_PORT",
                    "port": PORT,
                    "requestPath": READINESS_PATH,
                },
            },
        },
    }


def backend(args: GatewayArgs, target: dict[str, str], termination: Termination) -> dict[str, object]:
    """Return timeouts, draining, logging and the Cloud Armor policy of the backend service."""
    return {
        "targetRef": target,
        "default": {
            "securityPolicy": args.origin.security_policy,  # only the edge is admitted
            "timeoutSec": termination.finish,
            # A terminating replica keeps its connections until its requests are finished.
            "connectionDraining": {"drainingTimeoutSec": termination.drain + termination.finish},
            # One in ten requests is logged, for the analysis of attacks.
            "logging": {"enabled": True, "sampleRate": 100_000},
        },
    }


def route(name: str, hostname: str) -> dict[str, object]:
    """Return the route from the gateway's TLS listener to the API."""
    return {
        "parentRefs": [{"kind": "Gateway", "name": name, "sectionName": "https"}],
        "hostnames": [hostname],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": path}} for path in ROUTED],
                "backendRefs": [{"kind": "Service", "name": PUBLIC, "port": 80, "weight": 1}],
            }
        ],
    }


def distribution(settings: WorkloadSettings) -> dict[str, object]:
    """Return the distribution of requests over replicas, zones and time.

    The cookie names a replica, so affinity works with every algorithm and survives a change of the number of
    replicas. A *generated* cookie is only hashed, and GKE supports it with `MAGLEV` and `RING_HASH` only.
    """
    spread: dict[str, object] = {
        "localityLbAlgorithm": ALGORITHMS[settings.algorithm],
        # Nearest zone first; requests above its capacity go to the next.
        "serviceLbAlgorithm": "WATERFALL_BY_REGION",
        # A zone with fewer than a quarter of its replicas healthy receives no requests until it recovers.
        "autoCapacityDrain": {"enableAutoCapacityDrain": True},
        # Below this share of healthy replicas in a zone, requests start to go to the others.
        "failoverConfig": {"failoverHealthThreshold": 70},
        "sessionAffinity": {
            "type": "STRONG_COOKIE_AFFINITY",
            "cookie": {"name": AFFINITY_COOKIE, "path": "/", "ttl": f"{settings.affinity_seconds}s"},
        },
    }
    if settings.algorithm is Algorithm.WEIGHTED:
        # The weight is the load that each replica reports in its responses (ORCA).
        spread["customMetrics"] = [{"name": "orca.cpu_utilization", "dryRun": False}]
    return spread
