"""Parts of the pods of all roles: account, scheduling, security contexts, scratch space and port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.core import v1 as core

from infra.component import Component, Environment
from infra.node_pools import POOL_LABEL
from infra.settings.service import ImageSettings, ResourceSettings
from infra.workload.namespace import Namespace, kubernetes_labels

PORT = 8080
PORT_NAME = "http"
SCRATCH_DIR = "/tmp"  # noqa: S108 - an emptyDir, the only writable path of the pod
USER = 10001


def service_account(
    owner: Component,
    role: str,
    environment: Environment,
    namespace: Namespace,
    google_account: pulumi.Input[str] | None,
) -> core.ServiceAccount:
    """Declare the service account of a role, a child of `owner`; it acts as `google_account` if given."""
    annotations = {} if google_account is None else {"iam.gke.io/gcp-service-account": google_account}
    return core.ServiceAccount(
        role,
        metadata={
            "name": role,
            "namespace": namespace.metadata_name,
            "labels": kubernetes_labels(environment, role),
            "annotations": annotations,
        },
        automount_service_account_token=False,  # the service does not call the Kubernetes API
        opts=owner.child(depends_on=namespace.ready),
    )


def pod(role: str, pool: str, resources: ResourceSettings, volumes: Sequence[Any]) -> dict[str, Any]:
    """Return the fields that the pod specs of all roles share, with scratch space beside `volumes`."""
    return {
        "service_account_name": role,
        "automount_service_account_token": False,  # set on pod and account: the pod's value takes precedence
        "enable_service_links": False,  # pods get no environment variables of other services
        "security_context": _pod_security(),
        "node_selector": {POOL_LABEL: pool},
        "tolerations": [{"key": POOL_LABEL, "operator": "Equal", "value": pool, "effect": "NoSchedule"}],
        "volumes": [
            {"name": "scratch", "empty_dir": {"size_limit": f"{resources.scratch_mi}Mi"}},
            *volumes,
        ],
    }


def container(
    role: str,
    image: ImageSettings,
    resources: ResourceSettings,
    variables: Mapping[str, pulumi.Input[str]],
    mounts: Mapping[str, str],
) -> dict[str, Any]:
    """Return the fields that all containers share, with `variables` and read-only `mounts` by volume."""
    fixed = {"memory": f"{resources.memory_mi}Mi", "ephemeral-storage": f"{resources.scratch_mi}Mi"}
    return {
        "name": role,
        "image": image.reference,
        # The digest fixes the image; `Always` makes each start check the permission to pull it.
        "image_pull_policy": "Always",
        "command": ["python", "-m", "app"],
        "args": [role],
        "ports": [{"name": PORT_NAME, "container_port": PORT, "protocol": "TCP"}],
        "env": [
            {"name": "POD_NAME", "value_from": {"field_ref": {"field_path": "metadata.name"}}},
            {"name": "PORT", "value": str(PORT)},
            {"name": "TMPDIR", "value": SCRATCH_DIR},
            *({"name": key, "value": value} for key, value in variables.items()),
        ],
        "resources": {
            "requests": {"cpu": f"{resources.cpu_milli}m", **fixed},
            "limits": {"cpu": f"{resources.cpu_limit_milli}m", **fixed},
        },
        "security_context": _container_security(),
        "volume_mounts": [
            {"name": "scratch", "mount_path": SCRATCH_DIR},
            *({"name": name, "mount_path": path, "read_only": True} for name, path in mounts.items()),
        ],
    }


def _pod_security() -> Any:
    return {
        "run_as_non_root": True,  # an image that runs as root is rejected
        "run_as_user": USER,
        "run_as_group": USER,
        "fs_group": USER,
        # Blocks system calls that the service does not make and that container escapes use.
        "seccomp_profile": {"type": "RuntimeDefault"},
        # Limits writes to the node's files after a container escape.
        "app_armor_profile": {"type": "RuntimeDefault"},
    }


def _container_security() -> Any:
    return {
        "allow_privilege_escalation": False,  # setuid programs gain no privileges
        "privileged": False,  # no access to devices of the node
        "read_only_root_filesystem": True,  # an attacker cannot change programs or libraries
        "run_as_non_root": True,
        "run_as_user": USER,
        "run_as_group": USER,
        "capabilities": {"drop": ["ALL"]},  # none is needed above port 1024
        "seccomp_profile": {"type": "RuntimeDefault"},
    }
