"""Autoscaling and disruption budget of one role: HPA, VPA and PDB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.autoscaling import v2 as autoscaling
from pulumi_kubernetes.policy import v1 as policy

from infra.component import Component, Environment
from infra.settings.service import RoleSettings, Signal
from infra.workload.deployment import METRICS_PATH, RoleWorkload
from infra.workload.namespace import Namespace, kubernetes_labels, selector
from infra.workload.pods import PORT


@dataclass(frozen=True, slots=True)
class ScalingArgs:
    """The role and its bounds."""

    environment: Environment
    namespace: Namespace
    role: RoleWorkload
    settings: RoleSettings


class Scaling(Component):
    """HorizontalPodAutoscaler with its metrics, VerticalPodAutoscaler and PodDisruptionBudget of one role.

    The autoscaler uses the metric that needs the most replicas.
    """

    def __init__(self, name: str, args: ScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:workload:Scaling", name, opts)
        role, settings = args.role.role, args.settings
        metadata = {
            "name": role,
            "namespace": args.namespace.metadata_name,
            "labels": kubernetes_labels(args.environment, role),
        }
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": role}
        # GKE reads these gauges from the pods directly: no adapter or monitoring system, whose delay or
        # outage would stop autoscaling.
        measured = CustomResource(
            f"{name}-metrics",
            api_version="autoscaling.gke.io/v1beta1",
            kind="AutoscalingMetric",
            metadata=metadata,
            spec={"metrics": [exposed(role, settings.signals)]},
            opts=self.child(depends_on=[args.role.deployment]),
        )
        autoscaling.HorizontalPodAutoscaler(
            name,
            metadata=metadata,
            spec=scaler_spec(role, settings),
            opts=self.child(depends_on=[args.role.deployment, measured]),
        )
        CustomResource(
            f"{name}-vertical",
            api_version="autoscaling.k8s.io/v1",
            kind="VerticalPodAutoscaler",
            metadata=metadata,
            # Recommendations only: changed requests would change the percentages that the HPA uses.
            spec={
                "targetRef": target,
                "updatePolicy": {"updateMode": "Off"},
                "resourcePolicy": {
                    "containerPolicies": [{"containerName": role, "controlledResources": ["cpu", "memory"]}]
                },
            },
            opts=self.child(depends_on=[args.role.deployment]),
        )
        policy.PodDisruptionBudget(
            name,
            metadata=metadata,
            spec={
                "selector": {"match_labels": selector(role)},
                # A percentage, not a count: node drains proceed at every scale.
                "max_unavailable": "20%",
                # Unready replicas do not block a node drain.
                "unhealthy_pod_eviction_policy": "AlwaysAllow",
            },
            opts=self.child(depends_on=[args.role.deployment]),
        )
        self.register_outputs({})


def scaler_spec(role: str, settings: RoleSettings) -> autoscaling.HorizontalPodAutoscalerSpecArgsDict:
    """Return the bounds, metrics and behavior of a role's autoscaler (KUB1)."""
    return {
        "scale_target_ref": {
            "api_version": "apps/v1",
            "kind": "Deployment",
            "name": role,
        },
        "min_replicas": settings.min_replicas,
        "max_replicas": settings.max_replicas,
        "metrics": [
            resource_metric("cpu", settings.cpu_percent),
            resource_metric("memory", settings.memory_percent),
            *(pods_metric(role, key, signal) for key, signal in settings.signals.items()),
        ],
        "behavior": {
            # Scale up without delay, to twice the replicas: load can rise within seconds.
            "scale_up": {
                "stabilization_window_seconds": 0,
                "select_policy": "Max",
                "policies": [
                    {"type": "Percent", "value": 100, "period_seconds": 15},
                    {"type": "Pods", "value": 4, "period_seconds": 15},
                ],
            },
            # Scale down slowly: after a dip of minutes, the capacity is needed again.
            "scale_down": {
                "stabilization_window_seconds": 300,
                "select_policy": "Min",
                "policies": [
                    {"type": "Percent", "value": 10, "period_seconds": 60},
                    {"type": "Pods", "value": 5, "period_seconds": 60},
                ],
            },
        },
    }


def resource_metric(resource: str, percent: int) -> autoscaling.MetricSpecArgsDict:
    """Return a target of average utilization, in percent of the requests."""
    return {
        "type": "Resource",
        "resource": {"name": resource, "target": {"type": "Utilization", "average_utilization": percent}},
    }


def pods_metric(role: str, key: str, signal: Signal) -> autoscaling.MetricSpecArgsDict:
    """Return a target for the average of a gauge that the pods export.

    The name is GKE's: `autoscaling.gke.io|<AutoscalingMetric>|<metric>`.
    """
    return {
        "type": "Pods",
        "pods": {
            "metric": {"name": f"autoscaling.gke.io|{role}|{key}"},
            "target": {"type": "AverageValue", "average_value": quantity(signal.target_milli)},
        },
    }


def exposed(role: str, signals: Mapping[str, Signal]) -> dict[str, object]:
    """Return one entry of an AutoscalingMetric: the endpoint and the gauges of a role's pods."""
    return {
        "pod": {
            # GKE's agent accepts no label names with a dot or a slash, so none of the recommended labels.
            "selector": {"matchLabels": {"role": role}},
            "containers": [
                {
                    "endpoint": {"port": PORT, "path": METRICS_PATH},
                    "metrics": [
                        {"gauge": {"name": key, "prometheusMetricName": signal.gauge}}
                        for key, signal in signals.items()
                    ],
                }
            ],
        }
    }


def quantity(milli: int) -> str:
    """Format a quantity in the canonical form of the API server."""
    whole, rest = divmod(milli, 1000)
    return f"{milli}m" if rest else str(whole)
