"""Generate pods and controllers that comply with the restricted Pod Security standard or violate it.

Each control is drawn independently: mostly compliant, so that a sufficient share of objects complies with all
controls, otherwise from compliant and violating values. The caller discards objects that the API server
rejects as invalid.
"""

from __future__ import annotations

import copy
import random
from typing import Any

IMAGE = "registry.example/app@sha256:" + "0" * 64
KINDS: dict[str, str] = {
    "Pod": "v1",
    "ReplicationController": "v1",
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}
Spec = dict[str, Any]

CAPABILITIES: tuple[Spec, ...] = (
    {"drop": ["ALL"]},
    {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    {"drop": ["ALL"], "add": ["CHOWN"]},
    {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
    {"drop": ["ALL", "NET_RAW"], "add": []},
    {"drop": ["NET_RAW"]},
    {"drop": ["all"]},
    {"add": ["NET_BIND_SERVICE"]},
    {},
)
SECCOMP = (
    {"type": "RuntimeDefault"},
    {"type": "Localhost", "localhostProfile": "a.json"},
    {"type": "Unconfined"},
    None,
)
APPARMOR = (
    {"type": "RuntimeDefault"},
    {"type": "Localhost", "localhostProfile": "a"},
    {"type": "Unconfined"},
    None,
)
SELINUX = (
    {"type": "container_t"},
    {"type": "container_init_t"},
    {"type": "container_kvm_t"},
    {"type": "container_engine_t"},
    {"type": "spc_t"},
    {"type": ""},
    {"level": "s0:c1,c2"},
    {"user": "system_u"},
    {"role": "system_r"},
    None,
)
USERS = (10001, 1, 0, None)
FLAGS = (True, False, None)
SYSCTLS: tuple[list[Spec], ...] = (
    [{"name": "net.ipv4.ip_local_port_range", "value": "1024 65535"}],
    [{"name": "kernel.shm_rmid_forced", "value": "1"}],
    [{"name": "net.ipv4.tcp_rmem", "value": "4096"}],
    [{"name": "net.ipv4.tcp_keepalive_time", "value": "60"}],
    [{"name": "kernel.msgmax", "value": "65536"}],
    [{"name": "net.core.somaxconn", "value": "1024"}],
    [],
)
VOLUMES: tuple[Spec, ...] = (
    {"emptyDir": {}},
    {"configMap": {"name": "a"}},
    {"secret": {"secretName": "a"}},
    {"downwardAPI": {"items": []}},
    {"projected": {"sources": []}},
    {"csi": {"driver": "a.example"}},
    {"persistentVolumeClaim": {"claimName": "a"}},
    {"ephemeral": {"volumeClaimTemplate": {"spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}},
    {"image": {"reference": IMAGE}},
    {"hostPath": {"path": "/var"}},
    {"nfs": {"server": "a.example", "path": "/"}},
    {"iscsi": {"targetPortal": "10.0.0.1", "iqn": "iqn.2001-04.com.example:a", "lun": 0}},
    {"gcePersistentDisk": {"pdName": "a"}},
    {"fc": {"wwids": ["a"]}},
)  # fmt: skip
ANNOTATIONS = ("runtime/default", "localhost/a", "unconfined", "localhost/")


class Generator:
    """Generate objects from one seed."""

    def __init__(self, seed: int, namespace: str) -> None:
        self._chance = random.Random(seed)
        self._namespace = namespace
        self._count = 0
        self._faults = 0.0  # probability that a control is drawn from compliant and violating values

    def object(self) -> dict[str, Any]:
        """Return a Pod, or a controller with such a pod template."""
        self._count += 1
        self._faults = self._chance.choice((0.0, 0.02, 0.05, 0.15, 0.4))
        kind = "Pod" if self._chance.random() < 0.5 else self._chance.choice(list(KINDS)[1:])
        name = f"object-{self._count}"
        template = self._template(name, kind)
        metadata = {"name": name, "namespace": self._namespace}
        if kind == "Pod":
            return {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": template["metadata"] | metadata,
                "spec": template["spec"],
            }
        return {"apiVersion": KINDS[kind], "kind": kind, "metadata": metadata, "spec": _spec(kind, template)}

    def _drawn(self, right: Any, values: tuple[Any, ...]) -> Any:
        return copy.deepcopy(self._chance.choice(values) if self._chance.random() < self._faults else right)

    def _template(self, name: str, kind: str) -> dict[str, Any]:
        windows = self._chance.random() < 0.08
        containers = [
            self._container(f"c{index}", windows) for index in range(self._chance.choice((1, 1, 2, 3)))
        ]
        spec: Spec = {
            "containers": containers,
            "restartPolicy": "Never" if kind in ("Job", "CronJob") else "Always",
        }
        if self._chance.random() < 0.3:
            first = self._container("init", windows)
            if self._chance.random() < 0.3:
                first["restartPolicy"] = "Always"
            spec["initContainers"] = [first]
        _put(spec, "securityContext", self._pod_security(windows))
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            _put(spec, key, self._drawn(None, FLAGS))
        _put(spec, "hostUsers", self._drawn(None, FLAGS) if self._chance.random() < 0.7 else False)
        if windows:
            spec["os"] = {"name": "windows"}
        elif self._chance.random() < 0.1:
            spec["os"] = {"name": "linux"}
        volumes = [
            {"name": f"v{index}"} | self._drawn(self._chance.choice(VOLUMES[:8]), VOLUMES)
            for index in range(self._chance.choice((0, 0, 1, 2)))
        ]
        if volumes:
            spec["volumes"] = volumes
        metadata: Spec = {"labels": {"app": name}}
        if self._chance.random() < self._faults / 2:
            key = f"container.apparmor.security.beta.kubernetes.io/{containers[0]['name']}"
            metadata["annotations"] = {key: self._chance.choice(ANNOTATIONS)}
        return {"metadata": metadata, "spec": spec}

    def _pod_security(self, windows: bool) -> Spec | None:
        if self._chance.random() < 0.1:
            return None
        found: Spec = {}
        split = self._chance.random() < 0.4  # set on the containers only
        _put(found, "runAsNonRoot", self._drawn(None if split else True, FLAGS))
        if windows:
            _put(found, "windowsOptions", self._windows())
            return found
        _put(found, "seccompProfile", self._drawn(None if split else SECCOMP[0], SECCOMP))
        _put(found, "runAsUser", self._drawn(None, USERS))
        _put(found, "appArmorProfile", self._drawn(None, APPARMOR))
        _put(found, "seLinuxOptions", self._drawn(None, SELINUX))
        _put(found, "sysctls", self._drawn(None, SYSCTLS))
        return found

    def _container(self, name: str, windows: bool) -> Spec:
        found: Spec = {"name": name, "image": IMAGE}
        if self._chance.random() < 0.95:
            found["securityContext"] = self._container_security(windows)
        if self._chance.random() < 0.3:
            port: Spec = {"containerPort": 8080}
            _put(port, "hostPort", self._drawn(None, (8080, 0, None)))
            found["ports"] = [port]
        if name != "init" and self._chance.random() < 0.2:
            key, action = self._chance.choice((("livenessProbe", "httpGet"), ("readinessProbe", "tcpSocket")))
            asked: Spec = {"port": 8080}
            _put(asked, "host", self._drawn(None, ("10.0.0.1", "127.0.0.1", "", None)))
            found[key] = {action: asked}
        if name != "init" and self._chance.random() < 0.1:
            asked = {"port": 8080, "path": "/"}
            _put(asked, "host", self._drawn(None, ("10.0.0.1", None)))
            found["lifecycle"] = {self._chance.choice(("preStop", "postStart")): {"httpGet": asked}}
        return found

    def _container_security(self, windows: bool) -> Spec:
        found: Spec = {}
        _put(found, "runAsNonRoot", self._drawn(self._chance.choice((True, None)), FLAGS))
        if windows:
            _put(found, "windowsOptions", self._windows())
            return found
        _put(found, "allowPrivilegeEscalation", self._drawn(False, FLAGS))
        _put(found, "capabilities", self._drawn(CAPABILITIES[0], (*CAPABILITIES, None)))
        _put(found, "seccompProfile", self._drawn(self._chance.choice((SECCOMP[0], None)), SECCOMP))
        _put(found, "privileged", self._drawn(None, FLAGS))
        _put(found, "runAsUser", self._drawn(None, USERS))
        _put(found, "appArmorProfile", self._drawn(None, APPARMOR))
        _put(found, "seLinuxOptions", self._drawn(None, SELINUX))
        _put(found, "procMount", self._drawn(None, ("Default", "Unmasked", None)))
        return found

    def _windows(self) -> Spec | None:
        return self._drawn(
            None, ({"hostProcess": True}, {"hostProcess": False}, {"runAsUserName": "app"}, None)
        )


def _put(target: Spec, key: str, value: Any) -> None:
    if value is not None:
        target[key] = value


def _spec(kind: str, template: dict[str, Any]) -> Spec:
    labels = template["metadata"]["labels"]
    selector = {"matchLabels": labels}
    match kind:
        case "ReplicationController":
            return {"replicas": 1, "selector": labels, "template": template}
        case "StatefulSet":
            return {"serviceName": "a", "selector": selector, "template": template}
        case "Job":
            return {"template": template}
        case "CronJob":
            return {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": template}}}
        case _:
            return {"selector": selector, "template": template}
