"""Safe remediations: each adds a missing field and changes none that is set.

A remediation runs only on resources that its policy finds, and only if the policy's level is configured as
``remediate``; engines show it as a diff. It receives the inputs as the engine sent them: secret
(:class:`pulumi_policy.Secret`) and unknown values are passed on unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from policies.model.pods import TEMPLATES
from policies.model.stack import Resource
from policies.pack.rule import Settings

Fields = dict[str, Any]
# Returns the object to use instead of the given one, or None to leave it unchanged.
Edit = Callable[[Fields], Fields | None]


def confined(resource: Resource, _: Settings) -> Fields | None:
    """Set the runtime's default seccomp profile for the pod if none is set."""

    def edit(spec: Fields) -> Fields | None:
        # The API server rejects the profile on Windows, and the pod may run there.
        if spec.get("os") not in (None, {"name": "linux"}):
            return None
        profile = {"seccompProfile": {"type": "RuntimeDefault"}}
        return _at(spec, ("securityContext",), lambda context: _completed(context, profile))

    return _in_pod(resource, edit)


def without_token(resource: Resource, _: Settings) -> Fields | None:
    """Set automountServiceAccountToken to false if it is not set."""

    def edit(found: Fields) -> Fields | None:
        return _completed(found, {"automountServiceAccountToken": False})

    if resource.type == "kubernetes:core/v1:ServiceAccount":
        return edit(resource.node.raw)
    return _in_pod(resource, edit)


def with_labels(resource: Resource, settings: Settings) -> Fields | None:
    """Add the configured labels that are missing."""
    return _at(resource.node.raw, ("metadata", "labels"), lambda found: _completed(found, settings["labels"]))


def _in_pod(resource: Resource, edit: Edit) -> Fields | None:
    """Return the resource after `edit` of its pod spec; None if it has none or nothing changed."""

    def edit_pod(spec: Fields) -> Fields | None:
        return edit(spec) if spec.get("containers") is not None else None

    path = TEMPLATES.get(resource.type.rsplit(":", 1)[-1])
    return None if path is None else _at(resource.node.raw, (*path, "spec"), edit_pod)


def _at(value: Any, path: tuple[str, ...], edit: Edit) -> Fields | None:
    """Return `value` after `edit` of the object at `path`, which is created if absent.

    None if a value on the path is not an object, or if nothing changed.
    """
    found: Fields = {} if value is None else value
    if not isinstance(found, dict):
        return None
    if not path:
        return edit(found)
    inner = _at(found.get(path[0]), path[1:], edit)
    return None if inner is None else {**found, path[0]: inner}


def _completed(found: Fields, wanted: Mapping[str, Any]) -> Fields | None:
    """Return `found` merged with the missing items of `wanted`; None if nothing is missing."""
    missing = {key: value for key, value in wanted.items() if found.get(key) is None}
    return {**found, **missing} if missing else None
