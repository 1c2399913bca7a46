"""Outputs of a simulated resource: inputs, curated values, and values generated from types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.providers import fake_values
from rehearsal.providers.constraints import docstring_enums
from rehearsal.providers.schema import (
    Choice,
    Field,
    ListOf,
    MapOf,
    ObjectType,
    OneOf,
    ResourceType,
    Scalar,
    Type,
)
from rehearsal.pulumi.properties import UNKNOWN, Secret

_DEPTH = 6  # nested computed objects deeper than this stay empty


@dataclass(frozen=True)
class Place:
    """Default project and location of resources, from the provider's configuration."""

    project: str = ""
    region: str = ""
    zone: str = ""


def synthesize(
    resource: ResourceType,
    inputs: Mapping[str, Any],
    curated: Mapping[str, Any],
    seed: str,
    place: Place,
) -> dict[str, Any]:
    """Return all outputs of `resource`.

    The value of each output is the first of these: the curated value, the input of that name, the documented
    default, and, unless the property is optional, a value generated from its name and type.
    """
    outputs: dict[str, Any] = {}
    declared = resource.inputs.fields
    for name, field in resource.outputs.items():
        given = inputs.get(name)
        if (value := curated.get(name)) is not None:
            outputs[name] = value
        elif given is not None:
            outputs[name] = _complete(field.type, given, seed, place, name, 0)
        elif (value := documented_default(declared.get(name) or field)) is not None:
            outputs[name] = value
        elif not field.optional:
            outputs[name] = make_up(field.type, name, f"{seed}/{name}", place, 0)
    return outputs


def documented_default(field: Field) -> Any:
    return (
        docstring_enums.default_value(field.doc, field.type.kind)
        if "efault" in field.doc and isinstance(field.type, Scalar)
        else None
    )


def preview(
    resource: ResourceType,
    inputs: Mapping[str, Any],
    curated: Mapping[str, Any],
    settled: Mapping[str, Any],
) -> dict[str, Any]:
    """Return outputs before the resource exists: inputs and defaults are known, computed values are not.

    `settled` are values that follow from inputs alone. The values in `curated` belong to a placeholder id and
    are not used; its keys show which nested values are computed.
    """
    outputs: dict[str, Any] = {}
    declared = resource.inputs.fields
    for name, field in resource.outputs.items():
        given = inputs.get(name)
        if (value := settled.get(name)) is not None:
            outputs[name] = value
        elif given is not None:
            outputs[name] = _masked(curated[name], given) if curated.get(name) is not None else given
        elif name in declared and (value := documented_default(declared[name])) is not None:
            outputs[name] = value
        elif not field.optional or name in curated or name not in declared:
            outputs[name] = UNKNOWN
    return outputs


def _masked(made: Any, given: Any) -> Any:
    """Return `given` with UNKNOWN added for every key that only `made` has."""
    match made, given:
        case dict(), dict():
            return {
                name: _masked(made.get(name), given[name]) if name in given else UNKNOWN
                for name in (*given, *(name for name in made if name not in given))
            }
        case list(), list() if len(made) == len(given):
            return [_masked(*pair) for pair in zip(made, given, strict=True)]
        case _:
            return given


def _complete(declared: Type, value: Any, seed: str, place: Place, path: str, depth: int) -> Any:
    """Return `value` with the computed fields of its nested objects added."""
    if depth > _DEPTH:
        return value
    match declared, value:
        case _, Secret(element):
            return Secret(_complete(declared, element, seed, place, path, depth))
        case ListOf(element), list():
            return [
                _complete(element, item, seed, place, f"{path}[{at}]", depth + 1)
                for at, item in enumerate(value)
            ]
        case ObjectType(), dict():
            completed = dict(value)
            for name, field in declared.fields.items():
                below = f"{path}.{name}"
                if value.get(name) is not None:
                    completed[name] = _complete(field.type, value[name], seed, place, below, depth + 1)
                elif not field.optional:
                    completed[name] = make_up(field.type, name, f"{seed}/{below}", place, depth + 1)
            return completed
        case _:
            return value


def make_up(declared: Type, name: str, seed: str, place: Place, depth: int) -> Any:
    """Generate a value of type `declared`; the format of a text follows from its `name`."""
    match declared:
        case Scalar("string"):
            return text(name, seed, place)
        case Scalar("integer"):
            return 443 if name.lower().endswith("port") else 0
        case Scalar("number"):
            return 0.0
        case Scalar("boolean"):
            return False
        case Choice(values):
            return values[0]
        case OneOf(options):
            return make_up(options[0], name, seed, place, depth)
        case ListOf(element):
            # Programs read the first object of a computed list.
            computed = isinstance(element, ObjectType) and depth < _DEPTH
            return [make_up(element, name, f"{seed}[0]", place, depth + 1)] if computed else list[Any]()
        case MapOf():
            return dict[str, Any]()
        case ObjectType() if depth < _DEPTH:
            return {
                key: make_up(field.type, key, f"{seed}/{key}", place, depth + 1)
                for key, field in declared.fields.items()
                if not field.optional
            }
        case _:
            return dict[str, Any]() if isinstance(declared, ObjectType) else ""


def text(name: str, seed: str, place: Place) -> str:
    """Return text in the format of a property called `name`."""
    match name:
        case "project":
            return place.project
        case "region" | "location":
            return place.region
        case "zone":
            return place.zone or f"{place.region}-b"
        case "id":
            return fake_values.hexadecimal(32, seed)
        case "deletionPolicy":
            return "DELETE"
    lower = name.lower()
    for ending, value in (
        ("timestamp", fake_values.moment),
        ("time", fake_values.moment),
        ("createdon", fake_values.moment),
        ("modifiedon", fake_values.moment),
        ("createdat", fake_values.moment),
        ("updatedat", fake_values.moment),
    ):
        if lower.endswith(ending):
            return value(seed)
    if lower.endswith(("fingerprint", "etag", "labelfingerprint")):
        return fake_values.encoded(8, seed)
    if "ipv6" in lower:
        return ""
    if lower.endswith(("cidr", "cidrblock", "iprange", "ipcidrrange")):
        return fake_values.subnet("10.64.0.0/10", 24, seed)
    if lower.endswith(("ipaddress", "address", "host", "ip", "endpoint")):
        return fake_values.address("10.64.0.0/10", seed)
    if lower.endswith(("uid", "uuid")):
        return fake_values.uuid(seed)
    if lower.endswith("email"):
        return f"s{fake_values.digits(10, seed)}@{place.project or 'rehearsal'}.iam.gserviceaccount.com"
    if lower.endswith(("url", "uri", "selflink")):
        return f"https://rehearsal.invalid/{fake_values.hexadecimal(16, seed)}"
    if "error" in lower:
        return ""
    if lower.endswith(("state", "status")):
        return "ACTIVE"
    if lower.endswith(("certificate", "cert")):
        return fake_values.CERTIFICATE
    if lower.endswith("version"):
        return "1"
    return fake_values.hexadecimal(16, seed)
