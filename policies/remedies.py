"""Rewrites that are safe to make: each adds what is missing and changes nothing that somebody asked for.

A remedy runs only where its policy's level is configured as ``remediate``; engines show it as a diff.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from policies.nodes import UNKNOWN
from policies.pods import TEMPLATES
from policies.rules import Settings
from policies.stack import Resource


def confined(resource: Resource, _: Settings) -> dict[str, Any] | None:
    """The runtime's default seccomp profile for the whole pod, where none is named."""

    def change(spec: dict[str, Any]) -> bool:
        context = spec.setdefault("securityContext", {})
        if not isinstance(context, dict) or "seccompProfile" in context:
            return False
        context["seccompProfile"] = {"type": "RuntimeDefault"}
        return True

    return _with_spec(resource, change)


def without_token(resource: Resource, _: Settings) -> dict[str, Any] | None:
    """No mounted token, where nothing is said about it."""

    def change(spec: dict[str, Any]) -> bool:
        if "automountServiceAccountToken" in spec:
            return False
        spec["automountServiceAccountToken"] = False
        return True

    if resource.type == "kubernetes:core/v1:ServiceAccount":
        props = copy.deepcopy(resource.node.raw)
        return props if change(props) else None
    return _with_spec(resource, change)


def labelled(resource: Resource, settings: Settings) -> dict[str, Any] | None:
    """The configured labels that are missing."""
    props = copy.deepcopy(resource.node.raw)
    metadata = props.setdefault("metadata", {})
    if not isinstance(metadata, dict) or metadata.get("labels") is UNKNOWN:
        return None
    labels = metadata.get("labels") or {}
    missing = {key: value for key, value in settings["labels"].items() if key not in labels}
    metadata["labels"] = {**labels, **missing}
    return props if missing else None


def _with_spec(resource: Resource, change: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    """The resource after `change` to its pod spec; None where it has none or nothing changed."""
    props = copy.deepcopy(resource.node.raw)
    template: Any = props
    for key in TEMPLATES.get(resource.type.rsplit(":", 1)[-1], ("",)):
        template = template.get(key) if isinstance(template, dict) else None
    spec = template.get("spec") if isinstance(template, dict) else None
    return props if isinstance(spec, dict) and change(spec) else None
