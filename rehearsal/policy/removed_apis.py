"""API versions that Kubernetes no longer serves: the API server has no path for an object of one of them.

Source: https://kubernetes.io/docs/reference/using-api/deprecation-guide/.
"""

from __future__ import annotations

from typing import Final

_RBAC: Final = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
_WORKLOADS: Final = ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")
# Version, the release without it, the version to use ("" for none), and kinds.
_REMOVED: Final[tuple[tuple[str, str, str, tuple[str, ...]], ...]] = (
    ("extensions/v1beta1", "1.16", "apps/v1", _WORKLOADS),
    ("apps/v1beta1", "1.16", "apps/v1", _WORKLOADS),
    ("apps/v1beta2", "1.16", "apps/v1", _WORKLOADS),
    ("extensions/v1beta1", "1.16", "networking.k8s.io/v1", ("NetworkPolicy",)),
    ("extensions/v1beta1", "1.16", "", ("PodSecurityPolicy",)),
    ("extensions/v1beta1", "1.22", "networking.k8s.io/v1", ("Ingress",)),
    ("networking.k8s.io/v1beta1", "1.22", "networking.k8s.io/v1", ("Ingress", "IngressClass")),
    ("rbac.authorization.k8s.io/v1beta1", "1.22", "rbac.authorization.k8s.io/v1", _RBAC),
    ("apiextensions.k8s.io/v1beta1", "1.22", "apiextensions.k8s.io/v1", ("CustomResourceDefinition",)),
    (
        "admissionregistration.k8s.io/v1beta1",
        "1.22",
        "admissionregistration.k8s.io/v1",
        ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
    ),
    ("apiregistration.k8s.io/v1beta1", "1.22", "apiregistration.k8s.io/v1", ("APIService",)),
    ("certificates.k8s.io/v1beta1", "1.22", "certificates.k8s.io/v1", ("CertificateSigningRequest",)),
    ("coordination.k8s.io/v1beta1", "1.22", "coordination.k8s.io/v1", ("Lease",)),
    ("scheduling.k8s.io/v1beta1", "1.22", "scheduling.k8s.io/v1", ("PriorityClass",)),
    (
        "storage.k8s.io/v1beta1",
        "1.22",
        "storage.k8s.io/v1",
        ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"),
    ),
    ("storage.k8s.io/v1beta1", "1.27", "storage.k8s.io/v1", ("CSIStorageCapacity",)),
    ("batch/v2alpha1", "1.21", "batch/v1", ("CronJob",)),
    ("batch/v1beta1", "1.25", "batch/v1", ("CronJob",)),
    ("discovery.k8s.io/v1beta1", "1.25", "discovery.k8s.io/v1", ("EndpointSlice",)),
    ("events.k8s.io/v1beta1", "1.25", "events.k8s.io/v1", ("Event",)),
    ("node.k8s.io/v1beta1", "1.25", "node.k8s.io/v1", ("RuntimeClass",)),
    ("policy/v1beta1", "1.25", "policy/v1", ("PodDisruptionBudget",)),
    ("policy/v1beta1", "1.25", "", ("PodSecurityPolicy",)),
    ("autoscaling/v2beta1", "1.25", "autoscaling/v2", ("HorizontalPodAutoscaler",)),
    ("autoscaling/v2beta2", "1.26", "autoscaling/v2", ("HorizontalPodAutoscaler",)),
    *(
        (
            f"flowcontrol.apiserver.k8s.io/{version}",
            release,
            "flowcontrol.apiserver.k8s.io/v1",
            ("FlowSchema", "PriorityLevelConfiguration"),
        )
        for version, release in (("v1beta1", "1.26"), ("v1beta2", "1.29"), ("v1beta3", "1.32"))
    ),
)
_BY_KIND: Final = {
    (version, kind): (release, use) for version, release, use, kinds in _REMOVED for kind in kinds
}


def removal(version: str, kind: str) -> str:
    """Return since when an API version of a kind is not served, and what to use; "" if it is served."""
    found = _BY_KIND.get((version, kind))
    if found is None:
        return ""
    release, use = found
    instead = f"use {use}" if use else f"{kind} was removed"
    return f"{version} is not served since Kubernetes {release}: {instead}"
