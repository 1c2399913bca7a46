"""How many replicas, of what size, and how few at a time: HPA, VPA and PDB of one role."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.autoscaling import v2 as autoscaling
from pulumi_kubernetes.policy import v1 as policy

from infra.component import Component, Environment
from infra.namespace import Namespace, kubernetes_labels, selector
from infra.service import Role
from infra.service_settings import RoleSettings


@dataclass(frozen=True, slots=True)
class ScalingArgs:
    """The role to scale and its bounds."""

    environment: Environment
    namespace: Namespace
    role: Role
    settings: RoleSettings


class Scaling(Component):
    """HorizontalPodAutoscaler, VerticalPodAutoscaler and PodDisruptionBudget of one role."""

    def __init__(self, name: str, args: ScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        role, settings = args.role.role, args.settings
        metadata = {
            "name": role,
            "namespace": args.namespace.metadata_name,
            "labels": kubernetes_labels(args.environment, role),
        }
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": role}
        autoscaling.HorizontalPodAutoscaler(
            name,
            metadata=metadata,
            spec={
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
                ],
                "behavior": {
                    # Up at once and by half or more: a crowd comes in seconds.
                    "scale_up": {
                        "stabilization_window_seconds": 0,
                        "select_policy": "Max",
                        "policies": [
                            {"type": "Percent", "value": 50, "period_seconds": 15},
                            {"type": "Pods", "value": 4, "period_seconds": 15},
                        ],
                    },
                    # Down slowly: a lull of minutes must not cost the capacity that the next wave needs.
                    "scale_down": {
                        "stabilization_window_seconds": 300,
                        "select_policy": "Min",
                        "policies": [
                            {"type": "Percent", "value": 10, "period_seconds": 60},
                            {"type": "Pods", "value": 5, "period_seconds": 60},
                        ],
                    },
                },
            },
            opts=self.child(depends_on=[args.role.deployment]),
        )
        CustomResource(
            f"{name}-vertical",
            api_version="autoscaling.k8s.io/v1",
            kind="VerticalPodAutoscaler",
            metadata=metadata,
            # Recommendations only. Acting on them would move the requests that the HPA's percentages are of.
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
                # A share, not a count: draining nodes works at every scale and never takes more.
                "max_unavailable": "20%",
                # A replica that is not ready anyway must not keep a node from being drained.
                "unhealthy_pod_eviction_policy": "AlwaysAllow",
            },
            opts=self.child(depends_on=[args.role.deployment]),
        )
        self.register_outputs({})


def resource_metric(resource: str, percent: int) -> autoscaling.MetricSpecArgsDict:
    """Aim at a share of what the pods request."""
    return {
        "type": "Resource",
        "resource": {"name": resource, "target": {"type": "Utilization", "average_utilization": percent}},
    }
