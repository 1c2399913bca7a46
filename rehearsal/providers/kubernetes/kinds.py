"""Facts about Kubernetes kinds: cluster-scoped kinds and immutable fields.

From pulumi-kubernetes, `provider/pkg/provider/diff.go` (`forceNew`); the immutable fields of the policy and
networking kinds are those of the API reference.
"""

from __future__ import annotations

from typing import Final

from rehearsal.providers.diff import Pattern, patterns

CLUSTER_SCOPED: Final = frozenset(
    {
        "APIService", "CSIDriver", "CSINode", "CertificateSigningRequest", "ClusterRole",
        "ClusterRoleBinding", "ComponentStatus", "CustomResourceDefinition", "FlowSchema",
        "GatewayClass", "IngressClass",
        "MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PodSecurityPolicy",
        "PriorityClass", "PriorityLevelConfiguration", "RuntimeClass", "StorageClass",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
        "VolumeAttachment",
    }
)  # fmt: skip

FIXED_ALWAYS: Final = patterns("apiVersion", "kind", "metadata.name", "metadata.namespace")

# ConfigMaps and Secrets are replaced when their content changes, unless the provider is configured to change
# them in place (`enableConfigMapMutable`, `enableSecretMutable`).
CONTENT: Final = patterns("data", "binaryData", "stringData", "type")

_POD_SPEC: Final = (
    "affinity", "automountServiceAccountToken", "containers", "dnsConfig", "dnsPolicy", "enableServiceLinks",
    "hostAliases", "hostIPC", "hostNetwork", "hostPID", "hostname", "imagePullSecrets", "initContainers",
    "nodeName", "nodeSelector", "overhead", "preemptionPolicy", "priority", "priorityClassName",
    "readinessGates", "restartPolicy", "runtimeClassName", "schedulerName", "securityContext",
    "serviceAccount", "serviceAccountName", "shareProcessNamespace", "subdomain",
    "terminationGracePeriodSeconds", "volumes",
)  # fmt: skip
_VOLUME_SOURCES: Final = (
    "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc", "flexVolume",
    "flocker",
    "gcePersistentDisk", "glusterfs", "hostPath", "iscsi", "local", "nfs", "photonPersistentDisk",
    "portworxVolume", "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume",
)  # fmt: skip
_SELECTOR: Final = patterns("spec.selector")
_ROLE: Final = patterns("roleRef")

# By (API group, kind); the core group is "".
FIXED: Final[dict[tuple[str, str], frozenset[Pattern]]] = {
    ("apps", "DaemonSet"): _SELECTOR,
    ("apps", "Deployment"): _SELECTOR,
    ("apps", "StatefulSet"): patterns(
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): patterns("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    ("rbac.authorization.k8s.io", "RoleBinding"): _ROLE,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _ROLE,
    ("storage.k8s.io", "StorageClass"): patterns("parameters", "provisioner"),
    ("", "PersistentVolume"): patterns(*(f"spec.{name}" for name in _VOLUME_SOURCES)),
    ("", "PersistentVolumeClaim"): patterns(
        "spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"
    ),
    ("", "Pod"): patterns(*(f"spec.{name}" for name in _POD_SPEC)),
    ("", "ResourceQuota"): patterns("spec.scopes"),
    ("", "Secret"): patterns("type"),
    ("", "Service"): patterns("spec.clusterIP"),
}

# Closed sets that the API server checks and the SDK types as plain text; by key, or by parent and key where
# the key alone means several things. From the API reference of Kubernetes 1.34.
CLOSED: Final[dict[str, tuple[str, ...]]] = {
    "concurrencyPolicy": ("Allow", "Forbid", "Replace"),
    "externalTrafficPolicy": ("Cluster", "Local"),
    "imagePullPolicy": ("Always", "IfNotPresent", "Never"),
    "internalTrafficPolicy": ("Cluster", "Local"),
    "limits.type": ("Container", "PersistentVolumeClaim", "Pod"),
    "metrics.type": ("ContainerResource", "External", "Object", "Pods", "Resource"),
    "policies.type": ("Percent", "Pods"),
    "policyTypes": ("Egress", "Ingress"),
    "ports.protocol": ("SCTP", "TCP", "UDP"),
    "preemptionPolicy": ("Never", "PreemptLowerPriority"),
    "restartPolicy": ("Always", "Never", "OnFailure"),
    "scheme": ("HTTP", "HTTPS"),
    "seccompProfile.type": ("Localhost", "RuntimeDefault", "Unconfined"),
    "selectPolicy": ("Disabled", "Max", "Min"),
    "sessionAffinity": ("ClientIP", "None"),
    "strategy.type": ("Recreate", "RollingUpdate"),
    "terminationMessagePolicy": ("FallbackToLogsOnError", "File"),
    "unhealthyPodEvictionPolicy": ("AlwaysAllow", "IfHealthyBudget"),
    "whenUnsatisfiable": ("DoNotSchedule", "ScheduleAnyway"),
}
