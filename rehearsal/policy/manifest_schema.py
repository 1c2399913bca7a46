"""Validate manifests as the API server does: the types, names and allowed values of the Kubernetes SDK.

The findings are advice, since a cluster may be newer than the SDK. Kinds without a declared type (custom
resources) are checked for their metadata only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml
from pulumi_policy import Severity

from policies.api import Finding, Path
from rehearsal.policy.manifests import Manifest
from rehearsal.policy.removed_apis import removal
from rehearsal.providers.kubernetes import validation
from rehearsal.providers.kubernetes.declared_types import declared_inputs
from rehearsal.pulumi.properties import parse_path


@dataclass(frozen=True)
class Schema:
    """The metadata of schema findings, in the form of a policy's."""

    name: str
    description: str
    remediation: str
    severity: Severity
    tags: tuple[str, ...] = ()
    url: str = ""


SCHEMA: Final = Schema(
    name="schema",
    description="Manifests must be valid for the API server. A deployment stops half-way otherwise.",
    remediation="Change the field as stated in the message; see `kubectl explain`.",
    severity=Severity.MEDIUM,
)


# A group and version as the API server parses them; the names are those of DNS.
GROUP_VERSION: Final = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_MERGE: Final = "tag:yaml.org,2002:merge"


def misfits(manifest: Manifest) -> Iterator[Finding]:
    """Differences from the declared type of a manifest's object, each with its path."""
    value = manifest.resource.node.raw
    if manifest.kind == "CustomResourceDefinition":
        value = _without_schemas(value)
    token = manifest.resource.type
    if manifest.may_repeat_keys:
        yield from _repeated(manifest.tree, manifest.resource.urn)
    version = value.get("apiVersion")  # an item of a list may take the list's
    if isinstance(version, str) and not GROUP_VERSION.fullmatch(version):
        reason = f"{version[:80]!r} is not an API version: write VERSION or GROUP/VERSION, such as apps/v1"
        yield Finding(reason, ("apiVersion",), manifest.resource.urn)
        return
    if manifest.kind == "Config" and version == "v1":
        return  # a kubeconfig, which only clients read
    if gone := removal(str(version), manifest.kind):
        yield Finding(gone, ("apiVersion",), manifest.resource.urn)
    custom = declared_inputs(token) is None
    if not custom and not _is_named(value, manifest.kind):
        yield Finding("is required, unless generateName is set", ("metadata", "name"), manifest.resource.urn)
    problems = (
        *validation.type_problems(token, value),
        *validation.problems(value, manifest.kind, custom=custom),
    )
    for found in problems:
        path = parse_path(found.path)
        if not path and found.reason.startswith("unknown resource type"):
            reason = f"Kubernetes has no kind {manifest.kind[:80]!r} in {str(version)[:80]}"
            yield Finding(reason, ("kind",), manifest.resource.urn)
        elif not _accepted(path, found.reason, str(version)):
            yield Finding(found.reason, path, manifest.resource.urn)


def _is_named(value: dict[str, Any], kind: str) -> bool:
    """Whether an object has a name or a generateName, or is of a kind that is never stored."""
    if kind.endswith(("List", "Review")):
        return True
    metadata = value.get("metadata")
    # An empty name is reported as not valid.
    return isinstance(metadata, dict) and any(
        metadata.get(key) is not None for key in ("name", "generateName")
    )


def _without_schemas(definition: dict[str, Any]) -> dict[str, Any]:
    """Return a CustomResourceDefinition without the schemas of its versions, which are not checked here."""
    spec = definition.get("spec")
    if not isinstance(spec, dict):
        return definition
    spec = {key: value for key, value in spec.items() if key != "validation"}
    versions = spec.get("versions")
    if isinstance(versions, list):
        spec["versions"] = [{**item, "schema": None} if isinstance(item, dict) else item for item in versions]
    return {**definition, "spec": spec}


# Keys of objects that map resources to quantities, and of single quantities.
_QUANTITY_MAPS: Final = frozenset(
    {
        "allocatable", "capacity", "default", "defaultRequest", "hard", "limits", "max",
        "maxLimitRequestRatio", "min", "overhead", "podFixed", "requests", "used",
    }
)  # fmt: skip
_QUANTITIES: Final = frozenset({"averageValue", "divisor", "sizeLimit", "targetAverageValue", "value"})
_QUANTITY_VALUES_IN: Final = frozenset({"metrics", "behavior"})


# Directives of strategic merge patches, which the merge removes.
_DIRECTIVE: Final = re.compile(r"\$(?:patch|retainKeys|(?:setElementOrder|deleteFromPrimitiveList)/.+)")
# In this version, the API server sets the versions of reviews if they are absent
# (pkg/apis/admissionregistration/v1beta1/defaults.go).
_DEFAULT_REVIEWS: Final = ("admissionregistration.k8s.io/v1beta1", "admissionReviewVersions")


def _accepted(path: Path, reason: str, version: str) -> bool:
    """Whether the API server accepts a value that the SDK's types do not allow.

    It accepts numbers as quantities, and ignores the status of applied objects.
    """
    names = [part for part in path if isinstance(part, str)]
    if names and (_DIRECTIVE.fullmatch(names[-1]) or (version, names[-1]) == _DEFAULT_REVIEWS):
        return True
    if names[:1] == ["status"]:
        return True
    if _WHOLE_FLOAT.fullmatch(reason):  # kubectl sends 2.0 as 2
        return True
    if reason.startswith("expected a string, got the number") and names:
        inside = len(names) > 1 and names[-2] in _QUANTITY_MAPS
        single = names[-1] in _QUANTITIES and (names[-1] != "value" or _QUANTITY_VALUES_IN & set(names))
        return bool(inside or single)
    return False


_WHOLE_FLOAT: Final = re.compile(r"expected an integer, got the number -?[0-9]+\.0")


def _repeated(tree: yaml.Node, urn: str) -> Iterator[Finding]:
    """Yield keys that occur twice in one object, of which parsers use one or the other."""
    pending: list[tuple[yaml.Node, Path]] = [(tree, ())]
    seen: set[int] = set()
    while pending:
        node, path = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            below = []
            for key, value in node.value:
                name = str(key.value)
                if key.tag == _MERGE or not _is_within(key, node):
                    continue  # comes from an anchor; the mapping's own keys override it
                if name in keys:
                    text = f"{name} is written twice: only the last one counts here"
                    yield Finding(text, (*path, name), urn)
                keys.add(name)
                if not isinstance(value, yaml.ScalarNode):
                    below.append((value, (*path, name)))
            pending.extend(reversed(below))
        elif isinstance(node, yaml.SequenceNode):
            items = [(item, (*path, at)) for at, item in enumerate(node.value)]
            pending.extend(reversed(items))


def _is_within(key: yaml.Node, mapping: yaml.Node) -> bool:
    """Whether a key is declared in the mapping itself, not in one that it merges."""
    return bool(mapping.start_mark.index <= key.start_mark.index < mapping.end_mark.index)
