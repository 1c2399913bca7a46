"""Values that the provider marks as sensitive, at any depth, as secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.providers.constraints.names import Attribute, MappedType
from rehearsal.providers.schema import MapOf
from rehearsal.pulumi.properties import UNKNOWN, Secret


def mark_sensitive(mapped: MappedType, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return `outputs` with every value whose attribute is sensitive as a secret."""
    return _object(mapped.attributes, outputs)


def _object(attributes: Mapping[str, Attribute], values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _value(attributes[name], value) if name in attributes else value
        for name, value in values.items()
    }


def _value(attribute: Attribute, value: Any) -> Any:
    if value is None or isinstance(value, Secret):
        return value
    if attribute.facts.get("sensitive"):
        return Secret(value)
    if value is UNKNOWN or not attribute.children:
        return value
    if isinstance(value, list):
        return [_value(attribute, item) for item in value]
    if isinstance(value, Mapping):
        if isinstance(attribute.type, MapOf):
            return {key: _inner(attribute, item) for key, item in value.items()}
        return _object(attribute.children, value)
    return value


def _inner(attribute: Attribute, value: Any) -> Any:
    return _object(attribute.children, value) if isinstance(value, Mapping) else value
