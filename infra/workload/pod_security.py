"""Security contexts that every pod of the service has."""

from __future__ import annotations

from typing import Any

USER = 10001


def pod_security() -> Any:
    """Return the security context of a pod."""
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


def container_security() -> Any:
    """Return the security context of a container."""
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
