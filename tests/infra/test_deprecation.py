"""The program uses no deprecated type, and no deprecated property at any depth.

The SDKs warn of deprecated keyword arguments, but not of deprecated keys of plain dicts, which the program
uses for nested inputs. So the complete state is compared with the deprecations in the SDKs.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.providers.schema import Field, ListOf, MapOf, ObjectType, OneOf, Type, resource_type
from rehearsal.pulumi.properties import unwrap
from tests.infra.rehearsal import Declared

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def marked(function: object) -> bool:
    """Whether an SDK's `deprecated` has wrapped it."""
    return hasattr(function, "_pulumi_deprecated_callable")


def outdated(value: Any, kind: Type, path: str) -> Iterator[str]:
    """Paths in a value to properties that are deprecated."""
    match kind:
        case ObjectType() if isinstance(value, dict):
            for name, item in value.items():
                if (field := kind.fields.get(name)) is not None:
                    yield from outdated_field(item, field, f"{path}.{name}")
        case ListOf() if isinstance(value, list):
            for item in value:
                yield from outdated(item, kind.element, f"{path}[]")
        case MapOf() if isinstance(value, dict):
            for item in value.values():
                yield from outdated(item, kind.element, f"{path}.*")
        case OneOf():
            for option in kind.options:
                yield from outdated(value, option, path)


def outdated_field(value: Any, field: Field, path: str) -> Iterator[str]:
    if marked(field.getter.fget):
        yield path
    yield from outdated(value, field.type, path)


def replaced_type(cls: type) -> bool:
    """Return whether the SDK warns of every use of the type, by its source: it has no such attribute."""
    return f'"{cls.__name__} is deprecated:' in inspect.getsource(cls)


def test_no_deprecated_type_or_property_is_in_use(declared: Declared) -> None:
    found = set()
    known = 0
    for item in declared.resources:
        type_ = resource_type(item.type)
        if type_ is None:
            assert item.type.startswith("kubernetes:"), (
                item.type
            )  # a custom resource: see tests/infra/manifests
            continue
        known += 1
        assert not replaced_type(type_.cls), item.type
        found |= set(outdated(unwrap(item.inputs), type_.inputs, item.type))
    assert known > 250
    assert found == set()


def test_a_deprecated_type_is_known_as_one() -> None:
    type_ = resource_type("cloudflare:index/record:Record")
    assert type_ is not None
    assert replaced_type(type_.cls)


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({"binaryAuthorization": {"enabled": True}}, "Cluster.binaryAuthorization.enabled"),
        ({"name": "kingdom", "binaryAuthorization": {"evaluationMode": "DISABLED"}}, None),
    ],
)
def test_a_deprecated_property_is_found_at_any_depth(inputs: dict[str, Any], path: str | None) -> None:
    type_ = resource_type("gcp:container/cluster:Cluster")
    assert type_ is not None
    assert list(outdated(inputs, type_.inputs, "Cluster")) == ([path] if path else [])
