"""Parts of every role's pods: account, place, security contexts, scratch space and port."""

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
SCRATCH_DIR = "/tmp"  # noqa: S108 - an emptyDir of the pod's own, the only place it can write
USER = 10001


def service_account(
    owner: Component,
    role: str,
    environment: Environment,
    namespace: Namespace,
    google_account: pulumi.Input[str] | None,
) -> core.ServiceAccount:
    """Declare the account of a role, which acts as `google_account` if there is one, a child of `owner`."""
    annotations = {} if google_account is None else {"iam.gke.io/gcp-service-account": google_account}
    return core.ServiceAccount(
        role,
        metadata={
            "name": role,
            "namespace": namespace.metadata_name,
            "labels": kubernetes_labels(environment, role),
            "annotations": annotations,
        },
        automount_service_account_token=False,  # the service never talks to the API server
        opts=owner.child(depends_on=namespace.ready),
    )


def pod(role: str, pool: str, resources: ResourceSettings, volumes: Sequence[Any]) -> dict[str, Any]:
    """Return the fields that the pod specs of all roles share, with scratch space beside `volumes`."""
    return {
        "service_account_name": role,
        "automount_service_account_token": False,  # set on pod and account: a pod overrides its account
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
        # Named by digest, it is the same image; but each start proves again that this node may have it.
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
        "run_as_non_root": True,  # an image that runs as root does not start
        "run_as_user": USER,
        "run_as_group": USER,
        "fs_group": USER,
        # System calls that no service makes, and escapes from containers do, are refused.
        "seccomp_profile": {"type": "RuntimeDefault"},
        # Nor does a process that broke out of the service write to what of the node it can see.
        "app_armor_profile": {"type": "RuntimeDefault"},
    }


def _container_security() -> Any:
    return {
        "allow_privilege_escalation": False,  # a setuid program in the image gains nothing
        "privileged": False,  # no devices of the node
        "read_only_root_filesystem": True,  # what breaks in cannot install itself
        "run_as_non_root": True,
        "run_as_user": USER,
        "run_as_group": USER,
        "capabilities": {"drop": ["ALL"]},  # none is needed above port 1024
        "seccomp_profile": {"type": "RuntimeDefault"},
    }
