"""Changes that replace a resource, by ``force_new`` of the provider's attributes.

With Terraform's plugin framework, ``force_new`` of an object applies to every change inside it. With the
older SDK, ``force_new`` of a block applies when blocks are added or removed, and each attribute in it has its
own (`schemaMap.diffList` of terraform-plugin-sdk).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.providers.constraints.names import Attribute, MappedType
from rehearsal.providers.schema import MapOf
from rehearsal.pulumi.properties import UNKNOWN, Path, Secret


def forces_replacement(
    mapped: MappedType, path: Path, old: Mapping[str, Any], new: Mapping[str, Any]
) -> bool:
    """Return whether the change at `path` between two sets of inputs replaces the resource."""
    found, covered = _at(mapped, path)
    if found is None or covered:
        return covered
    before, after = _value(old, path), _value(new, path)
    computed = not found.framework and bool(found.facts.get("computed"))
    if computed and after is None:
        return False  # a value that is no longer declared is unchanged
    if found.facts.get("force_new") and not (computed and found.children and before is None):
        return True  # the provider computes such a block before it is declared
    return _required_below(found, before) or _required_below(found, after)


def replacing_names(mapped: MappedType) -> frozenset[str]:
    """Return the top-level properties whose change replaces the resource."""
    return frozenset(name for name, item in mapped.attributes.items() if item.facts.get("force_new"))


def is_default(mapped: MappedType, path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether the change at `path` only adds or removes the provider's default.

    Such a change has no effect.
    """
    found, _ = _at(mapped, path)
    if found is None or "default" not in found.facts:
        return False
    before, after = _value(old, path), _value(new, path)
    default = found.facts["default"]
    return (before is None and after == default) or (after is None and before == default)


def _at(mapped: MappedType, path: Path) -> tuple[Attribute | None, bool]:
    """Return the attribute at `path`, and whether a containing object replaces the resource on any change."""
    attributes, found, covered = mapped.attributes, None, False
    for step in path:
        if isinstance(step, int):
            continue
        if found is not None and (not found.children or _is_key(found, step)):
            continue  # a key of a map belongs to the map
        if found is not None:
            covered = covered or (found.framework and bool(found.facts.get("force_new")))
        found = attributes.get(step)
        if found is None:
            return None, covered
        attributes = found.children
    return found, covered


def _is_key(found: Attribute, step: str) -> bool:
    return isinstance(found.type, MapOf) and step not in found.children


def _required_below(found: Attribute, value: Any) -> bool:
    """Whether an added or removed object contains an attribute that requires replacement."""
    match value:
        case Secret(element):
            return _required_below(found, element)
        case list():
            return any(_required_below(found, item) for item in value)
        case dict() if found.children:
            return any(
                bool(below.facts.get("force_new")) or _required_below(below, item)
                for name, item in value.items()
                if item is not None and (below := found.children.get(name)) is not None
            )
        case _:
            return False


def _value(value: Any, path: Path) -> Any:
    for part in path:
        while isinstance(value, Secret):
            value = value.element
        if value is UNKNOWN:
            return None
        if isinstance(value, Mapping) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value
