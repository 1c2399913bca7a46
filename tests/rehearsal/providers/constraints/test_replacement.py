"""A change replaces a resource where the provider's schema requires it: all attributes of declared types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from rehearsal.providers.constraints.names import Attribute
from rehearsal.providers.schema import ListOf, MapOf
from tests.rehearsal.providers.calls import Calls, urn
from tests.rehearsal.providers.constraints.stacks import declared_types, mapped

DEPTH = 8
# The plan code requires a replacement for such a change: see test_conditional_replacement.py.
ON_CONDITION = {"enable_k8s_beta_apis.enabled_apis"}


def leaves(
    attributes: Mapping[str, Attribute], around: tuple[Attribute, ...] = ()
) -> Iterator[tuple[Attribute, ...]]:
    """Every plain attribute, with the objects that lead to it."""
    for attribute in attributes.values():
        if attribute.children and len(around) < DEPTH:
            yield from leaves(attribute.children, (*around, attribute))
        else:
            yield (*around, attribute)


def nested(path: tuple[Attribute, ...], value: Any) -> dict[str, Any]:
    """Inputs with a value at the end of a path of objects."""
    for attribute in reversed(path):
        if attribute is not path[-1]:
            if isinstance(attribute.type, ListOf):
                value = [value]
            elif isinstance(attribute.type, MapOf):
                value = {"key": value}
        value = {attribute.name: value}
    return value


def values(attribute: Attribute) -> tuple[Any, Any]:
    """Two different values of an attribute's type."""
    match attribute.facts["type"].lower():
        case "bool":
            return False, True
        case "int" | "int64" | "float" | "float64":
            return 1, 2
        case kind if isinstance(attribute.type, MapOf) or kind.startswith("map"):
            return {"a": "x"}, {"a": "y"}
        case _ if isinstance(attribute.type, ListOf):
            return ["x"], ["y"]
        case _:
            return "x", "y"


def replaces(path: tuple[Attribute, ...]) -> bool:
    """Whether the schema requires a new resource: for the attribute, or for an object around it."""
    *around, last = path
    return bool(last.facts.get("force_new")) or any(
        item.framework and item.facts.get("force_new") for item in around
    )


@pytest.mark.parametrize("token", declared_types())
def test_a_change_replaces_exactly_where_force_new_is_set(token: str) -> None:
    cloud, number = Calls.of(token.partition(":")[0]), 0
    wrong: list[str] = []
    for path in leaves(mapped(token).attributes):
        old, new = (nested(path, value) for value in values(path[-1]))
        number += 1
        if bool(cloud.diff(urn(token), old, new).replaces) is not (
            replaces(path) or path[-1].path in ON_CONDITION
        ):
            wrong.append(path[-1].path)
    assert number
    assert not wrong


def test_declaring_a_block_that_the_provider_computes_adds_no_block(gcp: Calls) -> None:
    pool, old = urn("gcp:container/nodePool:NodePool"), {"cluster": "c", "name": "p"}
    assert not gcp.diff(pool, old, {**old, "nodeConfig": {"machineType": "e2-small"}}).replaces
    assert gcp.diff(pool, old, {**old, "nodeConfig": {"spot": True}}).replaces


def test_computed_value_that_is_no_longer_declared_is_unchanged(gcp: Calls) -> None:
    address, old = urn("gcp:compute/address:Address"), {"name": "a", "region": "europe-west1"}
    assert not gcp.diff(address, old, {"name": "a"}).replaces


def test_declaring_a_default_is_not_a_change(gcp: Calls) -> None:
    redis, old = urn("gcp:redis/instance:Instance"), {"name": "cache", "memorySizeGb": 1}
    assert not gcp.diff(redis, old, {**old, "tier": "BASIC"}).diffs
    assert not gcp.diff(redis, {**old, "tier": "BASIC"}, old).diffs
    assert gcp.diff(redis, old, {**old, "tier": "STANDARD_HA"}).replaces
