"""Uniform resource names: ``urn:pulumi:<stack>::<project>::<type chain>::<name>``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

ROOT_STACK_TYPE: Final = "pulumi:pulumi:Stack"
PROVIDER_PREFIX: Final = "pulumi:providers:"


def make_urn(stack: str, project: str, type_: str, name: str, parent: str = "") -> str:
    """Return the URN of a resource. A parent other than the root stack prefixes its type chain with ``$``."""
    if parent:
        chain = type_chain(parent)
        if chain != ROOT_STACK_TYPE:
            type_ = f"{chain}${type_}"
    return f"urn:pulumi:{stack}::{project}::{type_}::{name}"


def type_chain(urn: str) -> str:
    return urn.split("::", 3)[2]


def type_of(urn: str) -> str:
    return type_chain(urn).rpartition("$")[2]


def name_of(urn: str) -> str:
    return urn.split("::", 3)[3]


def is_provider(type_: str) -> bool:
    return type_.startswith(PROVIDER_PREFIX)


def is_default_provider(urn: str) -> bool:
    """Return whether the engine created the provider.

    This is ``IsDefaultProvider`` in ``sdk/go/common/providers``.
    """
    name = name_of(urn)
    return is_provider(type_of(urn)) and (name == "default" or name.startswith("default_"))


def package_of(type_: str) -> str:
    """Return the package whose provider manages `type_`; for a provider resource, the package it provides."""
    if is_provider(type_):
        return type_.removeprefix(PROVIDER_PREFIX)
    return type_.partition(":")[0]


def parse_urn(text: str, what: str) -> str:
    """Return `text`, a URN. Raises ValueError with `what` it stands for if it is not one.

    Stack, project, types and name are not checked (``Parse`` in ``sdk/go/common/resource/urn/urn.go``).
    """
    if not text.startswith("urn:pulumi:") or text.count("::") < 3:
        raise ValueError(
            f"the {what} {text!r} is not a URN, such as urn:pulumi:STACK::PROJECT::PACKAGE:MODULE:TYPE::NAME"
        )
    return text


def inherited_alias(urn: str, parent: str, parent_alias: str) -> str:
    """Return the URN that the child `urn` of `parent` had while the parent was `parent_alias`.

    A child that is named after its parent is assumed to have been so before, in the stack and the project of
    its parent: ``inheritedChildAlias`` in ``pkg/resource/deploy/step_generator.go``.
    """
    name, prefix = name_of(urn), name_of(parent)
    if name.startswith(prefix):
        name = name_of(parent_alias) + name.removeprefix(prefix)
    stack, project = parent.removeprefix("urn:pulumi:").split("::")[:2]
    return make_urn(stack, project, type_of(urn), name, parent_alias)


def alias_urns(
    aliases: Iterable[Any],
    *,
    stack: str,
    project: str,
    type_: str,
    name: str,
    parent: str,
    adopted: Mapping[str, str],
) -> Iterator[str]:
    """The URNs that alias specifications stand for, for a resource of that type, name and parent.

    `adopted` has the former URN of each resource that was found by an alias: a specification with that
    resource as the parent means its former URN. Raises ValueError if an alias or a parent is not a URN.
    """
    for alias in aliases:
        if alias.WhichOneof("alias") != "spec":
            yield parse_urn(alias.urn, "alias")
            continue
        spec = alias.spec
        if spec.parentUrn:
            parse_urn(spec.parentUrn, "parent of an alias")
        above = "" if spec.noParent else adopted.get(spec.parentUrn, spec.parentUrn) or parent
        yield make_urn(
            spec.stack or stack, spec.project or project, spec.type or type_, spec.name or name, above
        )


def default_provider_name(version: str, download_url: str = "") -> str:
    """Return the engine's name of a default provider, such as ``default_10_2_0`` for version 10.2.0.

    The rule is ``ProviderRequest.DefaultName`` in ``pkg/resource/deploy/providers/provider.go``.
    """
    parts = ["default"]
    if version:
        core, _, build = version.partition("+")
        core, _, pre = core.partition("-")
        parts += [*core.split("."), *(pre.split(".") if pre else []), *(build.split(".") if build else [])]
    return "_".join([*parts, *([_qualified_name(download_url)] if download_url else [])])


def _qualified_name(text: str) -> str:
    """Return `text` with an underscore for every character that a name must not contain (``IntoQName``)."""
    return re.sub(r"[^A-Za-z0-9_./-]", "_", "/".join(part for part in text.split("/") if part))


def split_reference(reference: str) -> tuple[str, str]:
    """Split a provider reference ``<urn>::<id>`` into (urn, id)."""
    urn, _, id_ = reference.rpartition("::")
    return urn, id_
