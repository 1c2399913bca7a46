"""The check of an object, by its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.kubernetes.objects.autoscalers import autoscaler_problems
from rehearsal.providers.kubernetes.objects.cluster import (
    definition_problems,
    lease_problems,
    persistent_volume_problems,
    priority_class_problems,
    runtime_class_problems,
    storage_class_problems,
    volume_claim_problems,
    webhook_problems,
)
from rehearsal.providers.kubernetes.objects.configuration import config_map_problems, secret_problems
from rehearsal.providers.kubernetes.objects.jobs import cron_job_problems, job_problems
from rehearsal.providers.kubernetes.objects.limit_ranges import limit_range_problems
from rehearsal.providers.kubernetes.objects.networks import ingress_problems, network_policy_problems
from rehearsal.providers.kubernetes.objects.quotas import resource_quota_problems
from rehearsal.providers.kubernetes.objects.rbac import (
    cluster_role_binding_problems,
    cluster_role_problems,
    role_binding_problems,
    role_problems,
)
from rehearsal.providers.kubernetes.objects.services import service_problems
from rehearsal.providers.kubernetes.objects.workloads import (
    daemon_set_problems,
    deployment_problems,
    disruption_budget_problems,
    replica_set_problems,
    stateful_set_problems,
)
from rehearsal.providers.kubernetes.pods.validation import pod_problems
from rehearsal.providers.kubernetes.values import opened, value_at
from rehearsal.providers.validation import Problem
from rehearsal.pulumi.properties import UNKNOWN

Found = Iterator[Problem]


def object_problems(kind: str, inputs: Mapping[str, Any]) -> Found:
    """Yield problems of an object of `kind`; kinds without a check, such as custom ones, have none."""
    check = _CHECKS.get(kind)
    if check is not None and opened(inputs.get("spec")) is not UNKNOWN:
        yield from check(inputs)


def _pod(inputs: Mapping[str, Any]) -> Found:
    yield from pod_problems(value_at(inputs, "spec"), ("spec",))


_CHECKS: Final[Mapping[str, Callable[[Mapping[str, Any]], Found]]] = {
    "ClusterRole": cluster_role_problems,
    "ClusterRoleBinding": cluster_role_binding_problems,
    "ConfigMap": config_map_problems,
    "CronJob": cron_job_problems,
    "CustomResourceDefinition": definition_problems,
    "DaemonSet": daemon_set_problems,
    "Deployment": deployment_problems,
    "HorizontalPodAutoscaler": autoscaler_problems,
    "Ingress": ingress_problems,
    "Job": job_problems,
    "Lease": lease_problems,
    "LimitRange": limit_range_problems,
    "MutatingWebhookConfiguration": webhook_problems,
    "NetworkPolicy": network_policy_problems,
    "PersistentVolume": persistent_volume_problems,
    "PersistentVolumeClaim": volume_claim_problems,
    "Pod": _pod,
    "PodDisruptionBudget": disruption_budget_problems,
    "PriorityClass": priority_class_problems,
    "ReplicaSet": replica_set_problems,
    "ResourceQuota": resource_quota_problems,
    "Role": role_problems,
    "RuntimeClass": runtime_class_problems,
    "RoleBinding": role_binding_problems,
    "Secret": secret_problems,
    "Service": service_problems,
    "StatefulSet": stateful_set_problems,
    "StorageClass": storage_class_problems,
    "ValidatingWebhookConfiguration": webhook_problems,
}
