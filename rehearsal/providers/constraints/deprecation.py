"""Deprecated attributes that a resource sets, for warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rehearsal.providers.constraints.names import Attribute, MappedType
from rehearsal.providers.schema import MapOf
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import Path, Secret


def deprecated(mapped: MappedType, inputs: Mapping[str, Any], provider: str) -> Iterator[Problem]:
    """Yield each attribute that `inputs` set and the `provider` has deprecated."""
    for path in _object(mapped.attributes, inputs, ()):
        yield problem(path, f"deprecated by {provider}; a later version may remove it")


def _object(attributes: Mapping[str, Attribute], values: Mapping[str, Any], path: Path) -> Iterator[Path]:
    for name, value in values.items():
        attribute = attributes.get(name)
        if attribute is None or value is None:
            continue
        below = (*path, name)
        if attribute.facts.get("deprecated"):
            yield below
        while isinstance(value, Secret):
            value = value.element
        if isinstance(value, list):
            for number, item in enumerate(value):
                if isinstance(item, Mapping):
                    yield from _object(attribute.children, item, (*below, number))
        elif isinstance(value, Mapping) and not isinstance(attribute.type, MapOf):
            yield from _object(attribute.children, value, below)
