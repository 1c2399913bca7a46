"""What the API server would refuse in a plain manifest: the types of the Kubernetes SDK, its names and sets.

The policies judge what an object says; this says where it says nothing that a cluster would take. It is
advice, since a cluster may be newer than the SDK. Kinds without a declared type (custom resources) are
checked for their metadata only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import yaml
from pulumi_policy import Severity

from policies.model.property_tree import Finding, Path
from rehearsal.policy.manifests import Manifest
from rehearsal.providers.kubernetes.provider import Kubernetes
from rehearsal.pulumi.properties import parse_path


@dataclass(frozen=True)
class Schema:
    """The metadata that a finding of the schema carries, in the form of a policy's."""

    name: str
    prevents: str
    steps: str
    severity: Severity
    tags: tuple[str, ...] = ()


SCHEMA: Final = Schema(
    name="schema",
    prevents="Manifests are what the API server accepts, so that a deployment does not stop half-way.",
    steps="Write the field as the message says; see `kubectl explain`.",
    severity=Severity.MEDIUM,
)


_MERGE: Final = "tag:yaml.org,2002:merge"


def misfits(manifest: Manifest) -> Iterator[Finding]:
    """What does not fit the declared type of a manifest's object, each with its path."""
    value = manifest.resource.node.raw
    cloud = Kubernetes()
    token = manifest.resource.type
    yield from _repeated(manifest.tree, (), manifest.resource.urn, set())
    for found in (*cloud.type_problems(token, value), *cloud.problems(token, value)):
        yield Finding(found.reason, parse_path(found.path), manifest.resource.urn)


def _repeated(node: yaml.Node, path: Path, urn: str, seen: set[int]) -> Iterator[Finding]:
    """Keys that are written twice in one object: parsers differ in which of them counts."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in keys and key.tag != _MERGE:
                yield Finding(f"{name} is written twice: only the last one counts here", (*path, name), urn)
            keys.add(name)
            yield from _repeated(value, (*path, name), urn, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _repeated(item, (*path, index), urn, seen)
