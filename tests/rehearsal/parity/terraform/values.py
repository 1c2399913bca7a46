"""Values of Terraform's type system: a provider's schema, and Pulumi inputs in the form the schema requires.

An object on the wire has every attribute, null where it is absent, and every nested block, empty where it is
absent (`cty/msgpack`). The names come from the mapping of the rehearsal, the types from the provider.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from rehearsal.providers.constraints.names import Attribute, MappedType
from rehearsal.providers.schema import Choice, ListOf, Scalar
from rehearsal.pulumi.properties import UNKNOWN, Secret

_SINGLE, _LIST, _SET, _MAP, _GROUP = 1, 2, 3, 4, 5
_UNKNOWN: Final = msgspec.msgpack.Ext(0, b"\x00")


class UnmappedError(Exception):
    """Inputs that do not fit the provider's schema; the message names the property or the value."""


@dataclass(frozen=True)
class Dynamic:
    """A value of an attribute of any type: on the wire, its type precedes it."""

    value: Any


@dataclass(frozen=True)
class Field:
    """An attribute or a nested block of a schema; `type` is a cty type, `fields` those of its objects."""

    name: str
    type: Any
    nesting: int
    fields: Block | None
    is_block: bool
    required: bool
    computed: bool


@dataclass(frozen=True)
class Block:
    """The attributes and nested blocks of an object in a schema."""

    fields: Mapping[str, Field]

    def complete(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return `values` with null or an empty collection for absent fields, as the wire format requires."""
        if unknown := values.keys() - self.fields.keys():
            raise UnmappedError(", ".join(sorted(unknown)))
        return {name: values.get(name, empty(field)) for name, field in self.fields.items()}

    def convert(self, attributes: Iterable[Attribute], inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Convert Pulumi `inputs` to an object of the schema."""
        by_name = {attribute.name: attribute for attribute in attributes}
        values: dict[str, Any] = {}
        for name, value in inputs.items():
            if name.startswith("__") or value is None:
                continue
            attribute = by_name.get(name)
            field = self.fields.get(attribute.path.rpartition(".")[2]) if attribute else None
            if attribute is None or field is None:
                raise UnmappedError(name)
            values[field.name] = _field(field, attribute, value)
        return self.complete(values)

    def proposed(self, prior: Any, config: Any) -> Any:
        """Return the proposed new state: the configuration, and prior values of computed attributes."""
        if not isinstance(config, dict) or not isinstance(prior, dict):
            return config
        return {
            name: _proposed(field, prior.get(name), config.get(name)) for name, field in self.fields.items()
        }


def read_block(block: Any) -> Block:
    """Read a block of a schema message."""
    fields = {one.name: _attribute(one) for one in block.attributes}
    for one in block.block_types:
        inner = read_block(one.block)
        fields[one.type_name] = Field(one.type_name, None, one.nesting, inner, True, one.min_items > 0, False)
    return Block(fields)


def _attribute(one: Any) -> Field:
    if one.HasField("nested_type"):
        inner = Block({item.name: _attribute(item) for item in one.nested_type.attributes})
        return Field(one.name, None, one.nested_type.nesting, inner, False, one.required, one.computed)
    return Field(one.name, json.loads(one.type), 0, None, False, one.required, one.computed)


def empty(field: Field) -> Any:
    """The value of an absent field: an empty collection for blocks, else null."""
    if not field.is_block:
        return None
    if field.nesting == _GROUP and field.fields is not None:
        return field.fields.complete({})
    if field.nesting == _SINGLE:
        return None
    return dict[str, Any]() if field.nesting == _MAP else list[Any]()


def encode(value: Any) -> bytes:
    """Encode a value as cty's msgpack."""
    return msgspec.msgpack.encode(_wire(value))


def decode(data: bytes) -> Any:
    """Decode cty's msgpack; an unknown value, refined or not, is `UNKNOWN`."""
    return msgspec.msgpack.decode(data, ext_hook=lambda code, held: UNKNOWN)


def _wire(value: Any) -> Any:
    match value:
        case dict():
            return {key: _wire(item) for key, item in value.items()}
        case list():
            return [_wire(item) for item in value]
        case Dynamic(held):
            return [json.dumps(_type_of(held)).encode(), _wire(held)]
        case _:
            return _UNKNOWN if value is UNKNOWN else value


def _field(field: Field, attribute: Attribute, value: Any) -> Any:
    while isinstance(value, Secret):
        value = value.element
    if value is UNKNOWN or value is None:
        return value if value is UNKNOWN else empty(field)
    if field.fields is None:
        return _typed(field.type, attribute, value)
    inner, children = field.fields, attribute.children.values()
    if field.nesting in (_SINGLE, _GROUP):
        return _object(inner, children, value)
    if field.nesting == _MAP:
        return {key: _object(inner, children, item) for key, item in _mapping(value).items()}
    return [_object(inner, children, item) for item in _items(attribute, value)]


def _object(block: Block, children: Iterable[Attribute], value: Any) -> Any:
    while isinstance(value, Secret):
        value = value.element
    return UNKNOWN if value is UNKNOWN else block.convert(children, _mapping(value or {}))


def _items(attribute: Attribute | None, value: Any) -> list[Any]:
    """Return the items of a list; Pulumi has a list of at most one item as the item."""
    if isinstance(value, list):
        if attribute is not None and isinstance(attribute.type, (Choice, Scalar)):
            raise UnmappedError(f"{str(value)[:40]!r} is a list")
        return value
    if attribute is not None and isinstance(attribute.type, ListOf):
        raise UnmappedError(f"{str(value)[:40]!r} is not a list")
    return [value]


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UnmappedError(f"{str(value)[:40]!r} is not an object")
    return value


def _typed(kind: Any, attribute: Attribute | None, value: Any) -> Any:
    while isinstance(value, Secret):
        value = value.element
    if value is None or value is UNKNOWN:
        return value
    match kind:
        case "string" if isinstance(value, (Mapping, list)):
            raise UnmappedError(f"{str(value)[:40]!r} is not a text")
        case "string":
            return ("true" if value else "false") if isinstance(value, bool) else str(value)
        case "number":
            return _number(value)
        case "bool":
            if value not in (True, False, "true", "false"):
                raise UnmappedError(f"{value!r} is not a boolean")
            return value in (True, "true")
        case "dynamic":
            return Dynamic(value)
        case ["list" | "set", element]:
            return [_typed(element, attribute, item) for item in _items(attribute, value)]
        case ["map", element]:
            return {key: _typed(element, None, item) for key, item in _mapping(value).items()}
        case ["object", members]:
            names = {one.name: one for one in attribute.children.values()} if attribute else {}
            held = _mapping(value).items()
            given = {_last(names.get(key), key): (names.get(key), item) for key, item in held}
            if extra := given.keys() - members.keys():
                raise UnmappedError(", ".join(sorted(extra)))
            return {
                name: _typed(member, *given[name]) if name in given else None
                for name, member in members.items()
            }
        case _:
            return value


def _last(attribute: Attribute | None, name: str) -> str:
    return attribute.path.rpartition(".")[2] if attribute else name


def _number(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, (Mapping, list)):
        raise UnmappedError(f"{str(value)[:40]!r} is not a number")
    if not isinstance(value, str):
        return value
    try:
        return float(value) if "." in value else int(value)
    except ValueError as error:
        raise UnmappedError(f"{value[:40]!r} is not a number") from error


def _type_of(value: Any) -> Any:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case dict():
            return ["object", {key: _type_of(item) for key, item in value.items()}]
        case list():
            return ["tuple", [_type_of(item) for item in value]]
        case _:
            return "string"


def _proposed(field: Field, prior: Any, config: Any) -> Any:
    if field.fields is None or not field.is_block:
        if field.computed and config is None:
            return prior
        if field.fields is None:
            return config
    if isinstance(config, list) and isinstance(prior, list) and field.nesting != _SET:
        paired = [*prior[: len(config)], *([None] * (len(config) - len(prior)))]
        return [field.fields.proposed(old, new) for old, new in zip(paired, config, strict=True)]
    if isinstance(config, list) and isinstance(prior, list):
        return [field.fields.proposed(_counterpart(field.fields, prior, item), item) for item in config]
    if isinstance(config, dict) and field.nesting in (_SINGLE, _GROUP):
        return field.fields.proposed(prior, config)
    return config


def _counterpart(block: Block, prior: list[Any], item: Any) -> Any:
    """Return the element of a prior set that equals the configured one in all configured attributes."""
    for one in prior:
        if isinstance(one, dict) and all(
            item.get(name) is None or item.get(name) == one.get(name) for name in block.fields
        ):
            return one
    return None


def terraform_config(block: Block, mapped: MappedType, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a resource from its Pulumi inputs. Raises UnmappedError."""
    return block.convert(mapped.attributes.values(), inputs)
