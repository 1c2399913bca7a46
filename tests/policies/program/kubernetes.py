"""Violations planted in objects of the cluster."""

from __future__ import annotations

from policies.testing import DROP
from tests.policies.program import Row, planted

API = "Deployment/api"
POD = "spec.template.spec"
CONTAINER = f"{POD}.containers[0]"
SECURITY = f"{CONTAINER}.securityContext"
DIGEST = "sha256:" + "0" * 64
META = {"name": "planted", "namespace": "elsewhere", "labels": {"app.kubernetes.io/part-of": "kingdom"}}
CONFIG = "ConfigMap/configuration"
GENERATOR = f"europe-west1-docker.pkg.dev/kingdom-prod/kingdom/loadtest@{DIGEST}"
GENERATING = {
    "automountServiceAccountToken": False,
    "restartPolicy": "Never",
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "generator",
            "image": GENERATOR,
            "resources": {
                "requests": {"cpu": "1", "memory": "1Gi"},
                "limits": {"cpu": "1", "memory": "1Gi"},
            },
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    ],
}

ROWS = (
    Row("pss-host-namespaces", API, {f"{POD}.hostPID": True}),
    Row("pss-privileged", API, {f"{SECURITY}.privileged": True}),
    Row("pss-windows-host-process", API, {f"{POD}.securityContext.windowsOptions": {"hostProcess": True}}),
    Row("pss-capabilities", API, {f"{SECURITY}.capabilities.drop": ["NET_RAW"]}),
    Row("pss-host-path", API, {f"{POD}.volumes[3]": {"name": "x", "hostPath": {"path": "/"}}}),
    Row("pss-volume-types", API, {f"{POD}.volumes[3]": {"name": "x", "nfs": {"server": "s", "path": "/"}}}),
    Row("pss-host-ports", API, {f"{CONTAINER}.ports[0].hostPort": 8080}),
    Row("pss-host-probes", API, {f"{CONTAINER}.livenessProbe.httpGet.host": "10.0.0.1"}),
    Row("pss-apparmor", API, {f"{SECURITY}.appArmorProfile": {"type": "Unconfined"}}),
    Row("pss-selinux", API, {f"{POD}.securityContext.seLinuxOptions": {"type": "spc_t"}}),
    Row("pss-proc-mount", API, {f"{SECURITY}.procMount": "Unmasked"}),
    Row("pss-sysctls", API, {f"{POD}.securityContext.sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
    Row("pss-privilege-escalation", API, {f"{SECURITY}.allowPrivilegeEscalation": True}),
    Row("pss-run-as-non-root", API, {f"{POD}.securityContext.runAsNonRoot": False}),
    Row("pss-run-as-user", API, {f"{SECURITY}.runAsUser": 0}),
    Row(
        "pss-seccomp",
        API,
        {f"{SECURITY}.seccompProfile": DROP, f"{POD}.securityContext.seccompProfile": DROP},
    ),
    Row("pss-seccomp-baseline", API, {f"{SECURITY}.seccompProfile.type": "Unconfined"}),
    Row("pss-capabilities-baseline", API, {f"{SECURITY}.capabilities.add": ["SYS_ADMIN"]}),
    Row("pss-proc-mount-restricted", API, {f"{SECURITY}.procMount": "Unmasked", f"{POD}.hostUsers": False}),
    Row("read-only-root", API, {f"{SECURITY}.readOnlyRootFilesystem": False}),
    Row(
        "image-digest",
        API,
        {f"{CONTAINER}.image": "europe-west1-docker.pkg.dev/kingdom-prod/kingdom/service:latest"},
    ),
    Row("image-registry", API, {f"{CONTAINER}.image": f"docker.io/library/python@{DIGEST}"}),
    Row("probes", API, {f"{CONTAINER}.livenessProbe": DROP}),
    Row("requests-and-limits", API, {f"{CONTAINER}.resources.limits.memory": "256Mi"}),
    Row("service-account-token", API, {f"{POD}.automountServiceAccountToken": True}),
    Row("labels", API, {'metadata.labels["app.kubernetes.io/part-of"]': DROP}),
    Row("well-formed-pod-spec", API, {f"{SECURITY}.capabilities.add": "SYS_ADMIN"}),
    Row("namespace-quota", "ResourceQuota/namespace", gone=True, on="Namespace/namespace"),
    Row("namespace-limit-range", "LimitRange/namespace", gone=True, on="Namespace/namespace"),
    Row("quota-covers-peak", "ResourceQuota/namespace", {"spec.hard.pods": "100"}),
    Row("quota-covers-terminating-pods", "ResourceQuota/namespace", {"spec.hard.pods": "160"}),
    Row("pools-hold-peak", "NodePool/cluster-on-demand", {"autoscaling.totalMaxNodeCount": 4}),
    Row(
        "limit-range-admits",
        "LimitRange/namespace",
        {"spec.limits[0].max.memory": "1000Mi"},
        on="Deployment/worker",
    ),
    Row("hpa-target-without-replicas", API, {"spec.replicas": 5}),
    Row("hpa-bounds", "HorizontalPodAutoscaler/api-scaling", {"spec.maxReplicas": 1}),
    Row(
        "hpa-vpa-conflict",
        "VerticalPodAutoscaler/api-scaling-vertical",
        {
            "spec.updatePolicy.updateMode": "Auto",
            # Within the declared requests, so that quota and node pools still cover the peak.
            "spec.resourcePolicy.containerPolicies[0].maxAllowed": {"cpu": "100m", "memory": "64Mi"},
        },
    ),
    planted(
        "hpa-target-exists",
        "kubernetes:autoscaling.k8s.io/v1:VerticalPodAutoscaler",
        {"metadata": META, "spec": {"targetRef": {"kind": "Deployment", "name": "nobody"}}},
    ),
    Row("pdb-allows-disruption", "PodDisruptionBudget/api-scaling", {"spec.maxUnavailable": 0}),
    Row("pdb-required", "PodDisruptionBudget/api-scaling", {"spec.maxUnavailable": "100%"}),
    Row(
        "hpa-scales-down-slowly",
        "HorizontalPodAutoscaler/api-scaling",
        {"spec.behavior.scaleDown.stabilizationWindowSeconds": 10},
    ),
    # Not production, for which a window is required as well.
    Row("load-test-ends", API, {f"{CONTAINER}.image": GENERATOR, "metadata.labels.environment": "dev"}),
    planted(
        "load-test-window",
        "kubernetes:batch/v1:Job",
        {
            "metadata": META,
            "spec": {"suspend": True, "activeDeadlineSeconds": 60, "template": {"spec": GENERATING}},
        },
    ),
    Row("tls-gateway", "Gateway/gateway", {"spec.listeners[0].protocol": "HTTP"}),
    planted(
        "tls-ingress",
        "kubernetes:networking.k8s.io/v1:Ingress",
        {"metadata": META, "spec": {"rules": [{"host": "api.kingdom.studio"}]}},
    ),
    Row("tls-urls", CONFIG, {"data.KINGDOM_GENERATOR_URL": "http://generator.example.com"}),
    Row("default-deny", "NetworkPolicy/isolation-default-deny", gone=True, on="Namespace/namespace"),
    Row("network-policy-open", "NetworkPolicy/isolation-from-load-balancer", {"spec.ingress[0].from": DROP}),
    planted(
        "service-exposed",
        "kubernetes:core/v1:Service",
        {"metadata": META, "spec": {"type": "LoadBalancer", "ports": [{"port": 443}]}},
    ),
    planted(
        "no-wildcard-permissions",
        "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
        {"metadata": {"name": "all"}, "rules": [{"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}]},
    ),
    Row("no-secret-variables", CONFIG, {"data.GENERATOR_API_KEY": "letmein"}),
    planted(
        "no-kubernetes-secrets",
        "kubernetes:core/v1:Secret",
        {"metadata": META, "stringData": {"word": "letmein"}},
    ),
    Row(
        "no-secret-environment",
        API,
        {f"{CONTAINER}.env[4]": {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}},
    ),
    Row(
        "health-check-is-readiness",
        "HealthCheckPolicy/gateway-health",
        {"spec.default.config.httpHealthCheck.requestPath": "/"},
    ),
    Row(
        "routed-service-has-health-check",
        "HealthCheckPolicy/gateway-health",
        gone=True,
        on="HTTPRoute/gateway-api",
    ),
    Row(
        "termination-grace-period",
        "GCPBackendPolicy/gateway-backend",
        {"spec.default.timeoutSec": 60},
    ),
    Row(
        "probe-timeout-exceeds-checks",
        "HealthCheckPolicy/gateway-health",
        {"spec.default.timeoutSec": 1},
    ),
    Row(
        "probes-add-up",
        API,
        {f"{CONTAINER}.livenessProbe.failureThreshold": 1, f"{CONTAINER}.livenessProbe.periodSeconds": 1},
    ),
)
