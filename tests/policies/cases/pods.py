"""Containers and workloads."""

from __future__ import annotations

from typing import Any

from policies.testing import DROP, ResourceFixture
from tests.policies.cases import Break, Case, breaking

SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
CONTAINER: dict[str, Any] = {
    "name": "app",
    "image": "europe-west1-docker.pkg.dev/kingdom-prod/kingdom/service@sha256:" + "0" * 64,
    "securityContext": SECURITY,
    "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "256Mi"}},
    "ports": [{"name": "http", "containerPort": 8080}],
    "livenessProbe": {"httpGet": {"path": "/livez", "port": "http"}, "failureThreshold": 6},
    "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}},
}
POD: dict[str, Any] = {
    "metadata": {"name": "x", "namespace": "shop", "labels": {"app.kubernetes.io/part-of": "kingdom"}},
    "spec": {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [CONTAINER],
        "initContainers": [CONTAINER | {"name": "init"}],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    },
}
DEPLOYMENT: dict[str, Any] = {
    "metadata": POD["metadata"],
    "spec": {
        "selector": {"matchLabels": {"app": "x"}},
        "template": {"metadata": {"labels": {"app": "x"}}, "spec": POD["spec"]},
    },
}
A_POD = ResourceFixture("kubernetes:core/v1:Pod", POD)
A_DEPLOYMENT = ResourceFixture("kubernetes:apps/v1:Deployment", DEPLOYMENT)
C = "spec.containers[0]"
S = f"{C}.securityContext"
I = "spec.initContainers[0].securityContext"  # noqa: E741
P = "spec.securityContext"
WINDOWS = {"spec.os": {"name": "windows"}}


def pod(policy: str, *paths: Any, passes: tuple[dict[str, Any], ...] = ()) -> Case:
    return Case(policy, (A_POD,), breaking(*paths), passes)


CASES = (
    pod(
        "pss-host-namespaces",
        *((f"spec.{key}", True) for key in ("hostNetwork", "hostPID", "hostIPC")),
        passes=({"spec.hostNetwork": False},),
    ),
    pod(
        "pss-privileged",
        (f"{S}.privileged", True),
        (f"{I}.privileged", True),
        passes=({f"{S}.privileged": False},),
    ),
    pod(
        "pss-windows-host-process",
        (f"{P}.windowsOptions", {"hostProcess": True}, f"{P}.windowsOptions.hostProcess"),
        (f"{S}.windowsOptions", {"hostProcess": True}, f"{S}.windowsOptions.hostProcess"),
    ),
    pod(
        "pss-capabilities",
        (f"{S}.capabilities", DROP, f"{S}.capabilities.drop"),
        (f"{S}.capabilities.drop", ["NET_RAW"]),
        (f"{S}.capabilities.drop", ["all"]),
        (f"{I}.capabilities.add", ["CHOWN"], f"{I}.capabilities.add[0]"),
        passes=({f"{S}.capabilities.add": ["NET_BIND_SERVICE"]}, {f"{S}.capabilities": DROP, **WINDOWS}),
    ),
    pod("pss-host-path", ("spec.volumes[0].hostPath", {"path": "/"})),
    pod(
        "pss-volume-types",
        ("spec.volumes[0]", {"name": "x", "nfs": {"server": "a", "path": "/"}}, "spec.volumes[0].nfs"),
        ("spec.volumes[0]", {"name": "x", "gcePersistentDisk": {"pdName": "d"}}, "gcePersistentDisk"),
        passes=tuple(
            {"spec.volumes[0]": {"name": "x", kind: {}}}
            for kind in (
                "configMap",
                "csi",
                "downwardAPI",
                "ephemeral",
                "image",
                "persistentVolumeClaim",
                "projected",
            )
        ),
    ),
    pod(
        "pss-host-ports",
        (f"{C}.ports[0].hostPort", 8080),
        passes=({f"{C}.ports[0].hostPort": 0},),
    ),
    pod(
        "pss-host-probes",
        (f"{C}.livenessProbe.httpGet.host", "10.0.0.1"),
        (f"{C}.startupProbe", {"tcpSocket": {"host": "a", "port": 1}}, f"{C}.startupProbe.tcpSocket.host"),
        (f"{C}.lifecycle", {"preStop": {"httpGet": {"host": "a"}}}, f"{C}.lifecycle.preStop.httpGet.host"),
        passes=({f"{C}.livenessProbe.httpGet.host": ""},),
    ),
    pod(
        "pss-apparmor",
        (f"{P}.appArmorProfile", {"type": "Unconfined"}, f"{P}.appArmorProfile.type"),
        (f"{S}.appArmorProfile", {}, f"{S}.appArmorProfile.type"),
        ('metadata.annotations["container.apparmor.security.beta.kubernetes.io/app"]', "unconfined"),
        passes=(
            {f"{P}.appArmorProfile": {"type": "Localhost"}},
            {'metadata.annotations["container.apparmor.security.beta.kubernetes.io/app"]': "localhost/x"},
        ),
    ),
    pod(
        "pss-selinux",
        (f"{P}.seLinuxOptions", {"type": "spc_t"}, f"{P}.seLinuxOptions.type"),
        (f"{S}.seLinuxOptions", {"user": "root"}, f"{S}.seLinuxOptions.user"),
        (f"{S}.seLinuxOptions", {"role": "r"}, f"{S}.seLinuxOptions.role"),
        passes=({f"{S}.seLinuxOptions": {"type": "container_engine_t", "level": "s0"}},),
    ),
    pod(
        "pss-proc-mount",
        (f"{S}.procMount", "Unmasked"),
        passes=({f"{S}.procMount": "Default"},),
    ),
    Case(
        "pss-proc-mount-restricted",
        (A_POD,),
        (Break({f"{S}.procMount": "Unmasked", "spec.hostUsers": False}, f"{S}.procMount"),),
    ),
    pod(
        "pss-sysctls",
        (f"{P}.sysctls", [{"name": "kernel.msgmax", "value": "1"}], f"{P}.sysctls[0].name"),
        passes=({f"{P}.sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]},),
    ),
    pod(
        "pss-privilege-escalation",
        (f"{S}.allowPrivilegeEscalation", True),
        (f"{I}.allowPrivilegeEscalation", DROP),
        (f"{S}", DROP, f"{S}.allowPrivilegeEscalation"),
        passes=({f"{S}.allowPrivilegeEscalation": DROP, **WINDOWS},),
    ),
    pod(
        "pss-run-as-non-root",
        (f"{P}.runAsNonRoot", False),
        (f"{P}.runAsNonRoot", DROP, f"{S}.runAsNonRoot"),
        (f"{I}.runAsNonRoot", False),
        passes=({"spec.hostUsers": False, f"{P}.runAsNonRoot": False},),
    ),
    pod(
        "pss-run-as-user",
        (f"{P}.runAsUser", 0),
        (f"{I}.runAsUser", 0),
        passes=({f"{P}.runAsUser": 10001}, {"spec.hostUsers": False, f"{P}.runAsUser": 0}),
    ),
    pod(
        "pss-seccomp",
        (f"{P}.seccompProfile", DROP, f"{S}.seccompProfile.type"),
        passes=({f"{P}.seccompProfile.type": "Localhost"}, {f"{P}.seccompProfile": DROP, **WINDOWS}),
    ),
    pod(
        "pss-seccomp-baseline",
        (f"{P}.seccompProfile.type", "Unconfined"),
        (f"{S}.seccompProfile", {"type": "Unconfined"}, f"{S}.seccompProfile.type"),
        (f"{S}.seccompProfile", {}, f"{S}.seccompProfile.type"),
        passes=({f"{P}.seccompProfile": DROP}, {f"{P}.seccompProfile.type": "Localhost"}),
    ),
    pod(
        "pss-capabilities-baseline",
        (f"{S}.capabilities.add", ["SYS_ADMIN"], f"{S}.capabilities.add[0]"),
        (f"{I}.capabilities.add", ["CHOWN", "NET_RAW"], f"{I}.capabilities.add[1]"),
        passes=({f"{S}.capabilities": DROP}, {f"{S}.capabilities.add": ["CHOWN"]}),
    ),
    pod(
        "well-formed-pod-spec",
        ("spec", [], "spec"),
        ("spec.containers", {"app": CONTAINER}),
        (f"{C}", "app"),
        (f"{S}", []),
        (f"{S}.capabilities.drop", "ALL"),
        ("spec.volumes", {}),
        passes=({"spec.containers": []}, {f"{S}": None}),
    ),
    pod("read-only-root", (f"{S}.readOnlyRootFilesystem", DROP), (f"{I}.readOnlyRootFilesystem", False)),
    pod("image-digest", (f"{C}.image", "europe-west1-docker.pkg.dev/kingdom-prod/x:latest")),
    pod(
        "image-registry",
        (f"{C}.image", "docker.io/library/nginx@sha256:" + "0" * 64),
        (f"{C}.image", "europe-west1-docker.pkg.dev/kingdom-prod-2/service@sha256:" + "0" * 64),
    ),
    Case(
        "probes",
        (A_DEPLOYMENT,),
        breaking(
            ("spec.template.spec.containers[0].livenessProbe", DROP),
            ("spec.template.spec.containers[0].readinessProbe", DROP),
        ),
    ),
    pod(
        "requests-and-limits",
        (f"{C}.resources.requests.cpu", DROP),
        (f"{C}.resources.limits", DROP, f"{C}.resources.limits.memory"),
        (f"{C}.resources.limits.memory", "128Mi"),
        passes=({f"{C}.resources.requests.memory": DROP},),
    ),
    pod("service-account-token", ("spec.automountServiceAccountToken", DROP)),
    Case(
        "service-account-token",
        (ResourceFixture("kubernetes:core/v1:ServiceAccount", {"automountServiceAccountToken": False}),),
        breaking(("automountServiceAccountToken", True)),
    ),
    pod(
        "labels",
        ("metadata.labels", {"a": "b"}),
        ("metadata.labels", DROP),
    ),
    Case(
        "probes-add-up",
        (A_POD,),
        breaking(
            (f"{C}.livenessProbe.failureThreshold", 1, f"{C}.livenessProbe"),
        ),
    ),
    pod(
        "no-secret-variables",
        (f"{C}.env", [{"name": "DB_PASSWORD", "value": "x"}], f"{C}.env[0].value"),
        (f"{C}.args", ["--db-password=hunter2"], f"{C}.args[0]"),
        passes=(
            {f"{C}.env": [{"name": "DB_PASSWORD_FILE", "value": "/x"}, {"name": "TOKEN_TTL", "value": "60"}]},
            {
                f"{C}.env": [
                    {"name": "PASSWORD_HASH_ROUNDS", "value": "12"},
                    {"name": "TOKENIZER", "value": "a"},
                ]
            },
            {f"{C}.args": ["--password=$(DB_PASSWORD)", "--token-file=/x", "--verbose"]},
        ),
    ),
    pod(
        "no-secret-environment",
        (
            f"{C}.env",
            [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            f"{C}.env[0]",
        ),
        (f"{C}.envFrom", [{"secretRef": {"name": "s"}}], f"{C}.envFrom[0]"),
    ),
    pod(
        "tls-urls",
        (f"{C}.env", [{"name": "A", "value": "redis://10.0.0.1:6379"}], f"{C}.env[0].value"),
        (f"{C}.env", [{"name": "A", "value": "mongodb://db:27017"}], f"{C}.env[0].value"),
        (f"{C}.env", [{"name": "A", "value": "mongodb+srv://db/?tlsInsecure=true"}], f"{C}.env[0].value"),
        (f"{C}.args", ["--upstream=http://api.example.com"], f"{C}.args[0]"),
        (f"{C}.args", ["--upstream=http://[host]:80"], f"{C}.args[0]"),
        passes=(
            {f"{C}.env": [{"name": "A", "value": "rediss://10.0.0.1:6379"}]},
            {f"{C}.env": [{"name": "A", "value": "mongodb://db:27017/?tls=true"}]},
            {f"{C}.env": [{"name": "A", "value": "http://localhost:8080"}]},
        ),
    ),
)
