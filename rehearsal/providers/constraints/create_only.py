"""Attributes that can be set at creation only. A later change is an error, not a replacement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rehearsal.providers.constraints.names import Attribute, MappedType
from rehearsal.providers.schema import ListOf, MapOf
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path, Secret


def refused_changes(
    mapped: MappedType, inputs: Mapping[str, Any], olds: Mapping[str, Any], provider: str
) -> Iterator[Problem]:
    """Yield each attribute that can be set at creation only and differs from the former inputs `olds`."""
    for path in _object(mapped.attributes, inputs, olds, ()):
        yield problem(path, f"cannot be changed after creation ({provider} refuses this plan)")


def _object(attributes: Mapping[str, Attribute], new: Any, old: Any, path: Path) -> Iterator[Path]:
    for name, attribute in attributes.items():
        after, before = _plain(new, name), _plain(old, name)
        below = (*path, name)
        if attribute.facts.get("create_only"):
            if _is_changed(attribute, after, before):
                yield below
        elif (
            isinstance(after, Mapping)
            and isinstance(before, Mapping)
            and not isinstance(attribute.type, (ListOf, MapOf))
        ):
            yield from _object(attribute.children, after, before, below)


def _is_changed(attribute: Attribute, after: Any, before: Any) -> bool:
    """Whether the provider sees a change. A computed attribute keeps its value when it is no longer declared.

    The fact `initial` is the value of an attribute that was not declared at creation.
    """
    initial = attribute.facts.get("initial")
    before = initial if before is None else before
    if before is None or UNKNOWN in (after, before):
        return False
    if after is None:
        return initial is None and not attribute.facts.get("computed")
    if isinstance(after, Sequence) and isinstance(before, Sequence) and not isinstance(after, str):
        unordered = attribute.facts["type"].lower() == "set"
        return sorted(map(str, after)) != sorted(map(str, before)) if unordered else after != before
    return bool(after != before)


def _plain(values: Any, name: str) -> Any:
    value = values.get(name) if isinstance(values, Mapping) else None
    while isinstance(value, Secret):
        value = value.element
    return value
