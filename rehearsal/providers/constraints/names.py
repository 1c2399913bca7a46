"""Mapping between Pulumi's names and Terraform's, derived as the Terraform bridge derives them.

A property is the attribute's name in camel case, in the plural for a list or set of more than one item
(`pkg/tfbridge/names.go`). A type token is ``<package>:<module>/<name>:<Name>``, and the Terraform type is
the module and the name, or the name alone. Properties without a matching attribute have no facts:
:func:`unmapped` lists them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

from rehearsal.providers.constraints import facts
from rehearsal.providers.constraints.facts import ResourceFacts
from rehearsal.providers.schema import ListOf, MapOf, ObjectType, OneOf, Type, resource_type

_PREFIX: Final = {"gcp": "google", "cloudflare": "cloudflare", "mongodbatlas": "mongodbatlas"}
# Types whose Pulumi name is not derived from the Terraform name (`resources.go` of the bridged providers).
_RENAMED: Final = facts.FOLDER / "renamed_types.json"


@dataclass(frozen=True)
class Attribute:
    """An attribute under its Pulumi `name`, with its Terraform `path` and its `facts`.

    `framework` is true for a provider that uses the plugin framework: there, ``force_new`` of an object
    applies to everything in it; with the older SDK, each nested attribute has its own.
    """

    name: str
    path: str
    facts: Mapping[str, Any]
    type: Type
    resource: ResourceFacts
    framework: bool

    @cached_property
    def children(self) -> dict[str, Attribute]:
        """The attributes of the objects in this one by Pulumi name; empty for plain values."""
        element = object_in(self.type)
        return dict(_matched(element, self.path, self.resource)) if element is not None else {}


@dataclass(frozen=True)
class MappedType:
    """A resource type that both Pulumi's SDK and the facts know."""

    token: str
    resource: ResourceFacts
    attributes: Mapping[str, Attribute]


@cache
def mapped_type(token: str) -> MappedType | None:
    """Return the facts of a Pulumi type token by Pulumi's names, None if there are none."""
    package = token.partition(":")[0]
    name = terraform_type(token)
    resource = facts.read(package, name) if name else None
    declared = resource_type(token) if resource else None
    if resource is None or declared is None:
        return None
    return MappedType(token, resource, dict(_matched(declared.inputs, "", resource)))


@cache
def terraform_type(token: str) -> str | None:
    """Return the Terraform type of a Pulumi type token, None if no fact names one."""
    if token.count(":") != 2:
        return None
    package, module, name = token.split(":")
    prefix = _PREFIX.get(package)
    if prefix is None:
        return None
    if (renamed := _renamed_types().get(token)) is not None:
        return renamed
    module, known = module.partition("/")[0], _squashed_types(package)
    for candidate in _candidates(module, name):
        if (found := known.get(prefix + candidate.lower())) is not None:
            return found
    return None


def _candidates(module: str, name: str) -> Iterator[str]:
    """Yield the Terraform names, without the provider's prefix, that may belong to a module and a name.

    The name without the module counts only if it starts with the module, and for types at the root and of
    the resource hierarchy: `organizations/folder` is `google_folder`, `dataform/folder` is not.
    """
    if module not in ("", "index"):
        yield module + name
        yield module.removesuffix("s") + name
    if module in ("", "index", "organizations") or name.lower().startswith(module):
        yield name


@cache
def _renamed_types() -> Mapping[str, str]:
    types: dict[str, str] = json.loads(_RENAMED.read_text(encoding="utf-8"))["types"]
    return types


@cache
def _squashed_types(package: str) -> dict[str, str]:
    return {name.replace("_", ""): name for name in facts.types(package)}


def object_in(declared: Type) -> ObjectType | None:
    """Return the object that a type is, or that it contains as an item; None for plain values."""
    match declared:
        case ObjectType():
            return declared
        case ListOf(element) | MapOf(element):
            return object_in(element)
        case OneOf(options):
            return next((found for option in options if (found := object_in(option)) is not None), None)
        case _:
            return None


def _matched(declared: ObjectType, path: str, resource: ResourceFacts) -> Iterator[tuple[str, Attribute]]:
    """Yield the fields of a Pulumi object that have an attribute at `path`."""
    known = {name.replace("_", "").lower(): name for name in resource.children.get(path, ())}
    for name, field in declared.fields.items():
        found = next((known[one] for one in singulars(name.lower()) if one in known), None)
        if found is None:
            continue
        below = f"{path}.{found}" if path else found
        given = resource.attributes[below]
        yield name, Attribute(name, below, given, field.type, resource, given["type"][:1].isupper())


def singulars(name: str) -> Iterator[str]:
    """Yield the names that the bridge may have derived `name` from, the name itself first."""
    yield name
    if name.endswith("ies"):
        yield name[:-3] + "y"
    if name.endswith("es"):
        yield name[:-2]
    if name.endswith("s"):
        yield name[:-1]
    if name.endswith("indices"):
        yield name.removesuffix("indices") + "index"
    if name.endswith("criteria"):
        yield name.removesuffix("criteria") + "criterion"


def unmapped(token: str) -> list[str]:
    """Return the Pulumi property paths of a type that no fact covers, nested ones included."""
    declared, mapped = resource_type(token), mapped_type(token)
    if declared is None or mapped is None:
        return []
    return sorted(_unmapped(declared.inputs, mapped.attributes, "", 0))


def _unmapped(
    declared: ObjectType, attributes: Mapping[str, Attribute], path: str, depth: int
) -> Iterator[str]:
    for name, field in declared.fields.items():
        below = f"{path}.{name}" if path else name
        if (found := attributes.get(name)) is None:
            yield below
        elif (element := object_in(field.type)) is not None and depth < 12:
            yield from _unmapped(element, found.children, below, depth + 1)
