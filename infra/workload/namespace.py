"""A restricted namespace with a quota that equals its declared workloads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core import v1 as core

from infra.component import Component, Environment
from infra.settings.service import ResourceSettings
from infra.settings.sizing import ResourceTotals


@dataclass(frozen=True, slots=True)
class NamespaceArgs:
    """The environment, the name, the quota, and the pods that a LimitRange must permit."""

    environment: Environment
    namespace: str
    quota: ResourceTotals
    pods: Sequence[ResourceSettings]


class Namespace(Component):
    """Namespace, quota and LimitRange. `metadata_name` is its name; `ready` precedes pods."""

    def __init__(self, name: str, args: NamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:workload:Namespace", name, opts)
        labels = kubernetes_labels(args.environment)
        namespace = core.Namespace(
            name,
            metadata={
                "name": args.namespace,
                "labels": {
                    **labels,
                    # The strictest standard: no root, no privileged containers, no host namespaces, no added
                    # capabilities.
                    "pod-security.kubernetes.io/enforce": "restricted",
                    "pod-security.kubernetes.io/enforce-version": "latest",
                    "pod-security.kubernetes.io/audit": "restricted",
                    "pod-security.kubernetes.io/warn": "restricted",
                },
            },
            opts=self.child(),
        )
        # The declared name: the cluster's value is unknown until the namespace exists, and policies evaluate
        # the workload before.
        self.metadata_name = args.namespace
        quota = core.ResourceQuota(
            name,
            metadata={"name": "room", "namespace": self.metadata_name, "labels": labels},
            spec={
                "hard": {
                    **args.quota.hard(),
                    # The gateway is the only ingress: a second load balancer would bypass the edge.
                    "services.loadbalancers": "0",
                    "services.nodeports": "0",
                    "persistentvolumeclaims": "0",  # a volume of a pod would have no backup
                }
            },
            opts=self.child(depends_on=[namespace]),
        )
        limits = core.LimitRange(
            name,
            metadata={"name": "limits", "namespace": self.metadata_name, "labels": labels},
            spec={"limits": [container_limits(args.pods)]},
            opts=self.child(depends_on=[namespace]),
        )
        self.ready: list[pulumi.Resource] = [namespace, quota, limits]
        self.register_outputs({"name": self.metadata_name})


def container_limits(pods: Sequence[ResourceSettings]) -> core.LimitRangeItemArgsDict:
    """Return the item of a LimitRange that permits the containers of these pods, with defaults."""
    return {
        "type": "Container",
        # The default of a container without requests, which would otherwise be unlimited.
        "default": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
        "default_request": {"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
        "max": {
            "cpu": f"{max(item.cpu_limit_milli for item in pods)}m",
            "memory": f"{max(item.memory_mi for item in pods)}Mi",
            "ephemeral-storage": f"{max(item.scratch_mi for item in pods)}Mi",
        },
    }


def kubernetes_labels(environment: Environment, role: str | None = None) -> dict[str, str]:
    """Return the environment's labels and the recommended ones, for a Kubernetes object."""
    recommended = {"app.kubernetes.io/part-of": "kingdom", "app.kubernetes.io/managed-by": "pulumi"}
    if role is not None:
        # `role` without a prefix, for selectors that accept no slash.
        recommended |= {
            "app.kubernetes.io/name": role,
            "app.kubernetes.io/component": role,
            "role": role,
        }
    return {**environment.labels, **recommended}


def selector(role: str) -> dict[str, str]:
    """Return the labels that select the pods of a role. They must not change: a selector is immutable."""
    return {"app.kubernetes.io/name": role, "app.kubernetes.io/part-of": "kingdom"}
