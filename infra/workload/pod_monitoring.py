"""PodMonitoring: the metrics that managed Prometheus scrapes from a role's pods."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from infra.component import Component, Environment
from infra.workload.deployment import METRICS_PATH
from infra.workload.namespace import Namespace, kubernetes_labels, selector
from infra.workload.pods import PORT_NAME

INTERVAL_SECONDS = 30  # gives ten points to a five-minute rate; half of it would double the cost


@dataclass(frozen=True, slots=True)
class PodMonitoringArgs:
    """The environment, the namespace, and the role of the pods."""

    environment: Environment
    namespace: Namespace
    role: str


class PodMonitoring(Component):
    """PodMonitoring of one role."""

    def __init__(
        self, name: str, args: PodMonitoringArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kingdom:workload:Scraping", name, opts)
        role = args.role
        CustomResource(
            name,
            api_version="monitoring.googleapis.com/v1",
            kind="PodMonitoring",
            metadata={
                "name": role,
                "namespace": args.namespace.metadata_name,
                "labels": kubernetes_labels(args.environment, role),
            },
            spec={
                "selector": {"matchLabels": selector(role)},
                "endpoints": [
                    {
                        "port": PORT_NAME,
                        "path": METRICS_PATH,
                        "interval": f"{INTERVAL_SECONDS}s",
                        "timeout": "10s",
                    }
                ],
                "targetLabels": {"metadata": ["pod", "container", "top_level_controller_name"]},
                # Labels without a bound fail the scrape instead of raising the cost.
                "limits": {"samples": 10_000, "labels": 20},
            },
            opts=self.child(depends_on=args.namespace.ready),
        )
        self.register_outputs({})
