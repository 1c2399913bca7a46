"""Dependents that are replaced along with a resource that is deleted first."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.events import Op
from rehearsal.engine.replacement import DeletionClaims, dependent_replacements, refusal
from rehearsal.engine.state.resource_state import ResourceState, Snapshot
from rehearsal.engine.state.snapshot_manager import SnapshotManager
from rehearsal.pulumi.properties import contains_unknown, decode
from rehearsal.pulumi.urn import name_of
from tests.rehearsal.engine.conftest import Stack, messages, ops
from tests.rehearsal.engine.fake_provider import Cloud


def test_a_resource_with_a_fixed_physical_name_is_deleted_before_replacement(
    stack: Stack, cloud: Cloud
) -> None:
    program = """
        a = Thing("a", name="one", fixed={n})
        b = Thing("b", fixed=a.computed)
        Thing("c", value=a.computed)
    """
    stack.up(program.format(n=1))
    result = stack.up(program.format(n=2))
    assert ops(result)["a"] is Op.REPLACE
    assert ops(result)["b"] is Op.REPLACE
    assert ops(result).get("c", Op.UPDATE) is Op.UPDATE
    assert cloud.calls("Create", "Delete") == [
        ("Delete", "b"),
        ("Delete", "a"),
        ("Create", "a"),
        ("Create", "b"),
    ]
    stack.consistent()


def test_delete_before_replace_deletes_dependents_level_by_level(stack: Stack, cloud: Cloud) -> None:
    """`d` is only updated when `c` changes, so it stays.

    All others must be replaced with their dependency.
    """
    program = """
        a = Thing("a", ResourceOptions(delete_before_replace=True), fixed={n})
        b = Thing("b", fixed=a.computed)
        c = Thing("c", fixed_from=b.computed)
        Thing("d", value=c.computed)
        Thing("e", ResourceOptions(depends_on=[a]), value=1)
    """
    stack.up(program.format(n=1))
    assert ops(stack.preview(program.format(n=2))) == dict.fromkeys("abc", Op.REPLACE) | {"d": Op.UPDATE}
    assert not cloud.calls("Create", "Delete")
    stack.up()
    assert cloud.order("Delete") == ["c", "b", "a"]
    assert cloud.order("Create") == ["a", "b", "c"]
    stack.consistent()
    assert not stack.up().changed


def test_dependents_of_a_resource_with_replace_with_are_replaced_by_their_own_diff(
    stack: Stack, cloud: Cloud
) -> None:
    program = """
        a = Thing("a", ResourceOptions(delete_before_replace=True), fixed={n})
        b = Thing("b", ResourceOptions(replace_with=[a]), value=1)
        Thing("c", fixed=b.computed)
    """
    stack.up(program.format(n=1))
    assert ops(stack.up(program.format(n=2))) == dict.fromkeys("ab", Op.REPLACE)
    assert cloud.order("Delete") == ["b", "a"]
    stack.consistent()


def test_deleted_with_a_resource_that_is_deleted_before_replacement(stack: Stack, cloud: Cloud) -> None:
    program = """
        a = Thing("a", ResourceOptions(delete_before_replace=True), fixed={n})
        Thing("b", ResourceOptions(deleted_with=a), value=1)
    """
    stack.up(program.format(n=1))
    assert ops(stack.up(program.format(n=2))) == dict.fromkeys("ab", Op.REPLACE)
    assert cloud.order("Delete") == ["a"]
    assert cloud.order("Create") == ["a", "b"]


def test_a_protected_dependent_prevents_deletion_of_its_dependency(stack: Stack, cloud: Cloud) -> None:
    program = """
        a = Thing("a", ResourceOptions(delete_before_replace=True), fixed={n})
        Thing("b", ResourceOptions(protect=True), fixed=a.computed)
    """
    stack.up(program.format(n=1))
    result = stack.update(program.format(n=2))
    assert not result.ok
    assert any("protected" in message and "::b" in message for message in messages(result))
    assert not cloud.calls("Create", "Delete")
    stack.consistent()


def urn(name: str, type_: str = "toy:index:Thing") -> str:
    return f"urn:pulumi:test::toys::{type_}::{name}"


def record(name: str, **fields: Any) -> ResourceState:
    return ResourceState(urn(name), "toy:index:Thing", True, id=f"id-{name}", **fields)


ROOT = record("root")


class FixedProvider:
    """Requires a replacement if `fixed` is unknown, and an update for any other input."""

    def Diff(self, request: provider_pb2.DiffRequest, context: Any) -> provider_pb2.DiffResponse:
        news = decode(request.news)
        replaces = [key for key in ("fixed",) if contains_unknown(news.get(key))]
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME,
            diffs=[key for key, value in news.items() if contains_unknown(value)],
            replaces=replaces,
        )

    DiffConfig = Diff


def replaced(*records: ResourceState, planned: Collection[str] = ()) -> list[str]:
    """Return the names of the dependents that are replaced along with ROOT, in the order of deletion."""
    snapshot = SnapshotManager(Snapshot((ROOT, *records)), None)
    found = dependent_replacements(ROOT, snapshot, lambda reference: FixedProvider(), planned)
    return [name_of(item.urn) for item in found]


def reads(name: str, target: str, key: str = "fixed", **fields: Any) -> ResourceState:
    """Return a record whose input `key` comes from `target`."""
    return record(
        name,
        inputs={key: "x"},
        dependencies=(urn(target),),
        property_dependencies={key: (urn(target),)},
        **fields,
    )


def test_only_dependents_whose_diff_requires_it_are_replaced() -> None:
    assert replaced(reads("a", "root"), reads("b", "root", "value")) == ["a"]
    assert replaced(record("ordered", dependencies=(ROOT.urn,))) == []


def test_dependents_of_replaced_dependents_are_deleted_first() -> None:
    assert replaced(reads("a", "root"), reads("b", "a"), reads("c", "b")) == ["c", "b", "a"]
    assert replaced(reads("a", "root", "value"), reads("b", "a")) == []


def test_dependency_of_an_input_that_is_not_recorded_does_not_count() -> None:
    assert replaced(record("a", property_dependencies={"fixed": (ROOT.urn,)})) == []


@pytest.mark.parametrize("field", ["external", "pending_replacement", "delete"])
def test_records_that_are_not_managed_and_live_are_skipped(field: str) -> None:
    changes: dict[str, Any] = {field: True}
    assert replaced(replace(reads("a", "root"), **changes)) == []


def test_planned_dependents_are_skipped_and_their_dependents_too() -> None:
    assert replaced(reads("a", "root"), reads("b", "a"), planned={urn("a")}) == []


def test_resource_of_a_replaced_provider_is_replaced() -> None:
    provider = ResourceState(
        urn("p", "pulumi:providers:toy"),
        "pulumi:providers:toy",
        True,
        id="1",
        inputs={"fixed": "x"},
        property_dependencies={"fixed": (ROOT.urn,)},
    )
    thing = record("a", provider=f"{provider.urn}::1")
    assert replaced(provider, thing) == ["a", "p"]
    same = replace(provider, inputs={"region": "x"}, property_dependencies={"region": (ROOT.urn,)})
    assert replaced(same, thing) == []


@pytest.mark.parametrize("custom", [True, False])
def test_resources_bound_to_the_root_are_replaced_regardless_of_their_diff(custom: bool) -> None:
    with_root = replace(record("a", replace_with=(ROOT.urn,)), custom=custom)
    assert replaced(with_root) == ["a"]
    assert replaced(replace(with_root, replace_with=(), deleted_with=ROOT.urn)) == ["a"]


def test_replace_with_does_not_extend_to_the_second_level() -> None:
    assert replaced(record("a", replace_with=(ROOT.urn,)), record("b", replace_with=(urn("a"),))) == ["a"]


def test_deleted_with_a_replaced_dependent_is_replaced() -> None:
    assert replaced(reads("a", "root"), record("b", deleted_with=urn("a"))) == ["b", "a"]


def test_claim_is_given_the_planned_names_and_their_aliases() -> None:
    claims, seen = DeletionClaims(), set[str]()

    def find(entered: Collection[str]) -> list[ResourceState]:
        seen.update(entered)
        return []

    claims.enter("a", ["former"])
    assert claims.claim(find) == []
    assert seen == {"a", "former"}


@pytest.mark.parametrize("aliases", [[], [urn("a")]])
def test_registration_waits_until_the_deletion_of_its_resource_is_finished(aliases: list[str]) -> None:
    claims = DeletionClaims()
    claimed = claims.claim(lambda _: [record("a")])
    name = "renamed" if aliases else urn("a")
    with ThreadPoolExecutor(1) as pool:
        entering = pool.submit(claims.enter, name, aliases)
        assert not wait([entering], timeout=0.05).done
        claims.release(claimed)
        entering.result(10)


def test_refusal_states_how_to_allow_the_replacement() -> None:
    text = refusal("replaced", ROOT)
    assert text.startswith(f"it is protected and would be replaced: {ROOT.urn}.")
    assert "set protect to false" in text
