"""Deletions: their order, and what interrupted operations leave behind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest

from rehearsal.engine.deletion import _DeletionOrder
from rehearsal.engine.state.resource_state import ResourceState
from tests.rehearsal.engine import fake_provider
from tests.rehearsal.engine.conftest import Stack
from tests.rehearsal.engine.fake_provider import Cloud, refused

TYPE = "toy:index:Thing"
TraceFunction = Callable[[FrameType, str, Any], Any]


def _state(name: str, *needs: str, delete: bool = False) -> ResourceState:
    return ResourceState(
        urn=_urn(name),
        type=TYPE,
        custom=True,
        id=name,
        dependencies=tuple(map(_urn, needs)),
        delete=delete,
    )


def _urn(name: str) -> str:
    return f"urn:pulumi:dev::p::{TYPE}::{name}"


def _names(items: list[ResourceState]) -> list[str]:
    return [item.id for item in items]


def test_dependents_are_deleted_first() -> None:
    a, b, c = _state("a"), _state("b", "a"), _state("c", "a", "b")
    assert _groups(_DeletionOrder([a, b, c])) == [["c"], ["b"], ["a"]]


def test_resource_without_dependencies_is_in_the_last_group() -> None:
    """As in the CLI, whose groups are formed from the other end."""
    items = [_state("a"), _state("b", "a"), _state("alone")]
    assert _groups(_DeletionOrder(items)) == [["b"], ["a", "alone"]]


def test_dependencies_of_a_resource_that_is_not_deleted_are_retained() -> None:
    items = [_state("a"), _state("b", "a"), _state("c", "b"), _state("other")]
    order = _DeletionOrder(items)
    assert _names(order.ready()) == ["c"]
    order.retain(items[2])
    assert _groups(order) == [["other"]]


def test_retired_resource_waits_for_retired_ones_only() -> None:
    old, live, old_user = _state("a", delete=True), _state("user", "a"), _state("user", "a", delete=True)
    order = _DeletionOrder([old, live, replace(old_user, id="former")])
    assert _groups(order) == [["former"], ["a", "user"]]


def test_resource_that_is_replaced_outlives_its_undeclared_dependents() -> None:
    old, user = _state("a", delete=True), _state("user", "a")
    recorded = (replace(old, delete=False), user)
    assert _groups(_DeletionOrder([old, user], recorded)) == [["user"], ["a"]]


def test_cycle_of_a_damaged_state_is_deleted_in_any_order() -> None:
    assert _groups(_DeletionOrder([_state("a", "b"), _state("b", "a"), _state("c")])) == [["a", "b"], ["c"]]


def _groups(order: _DeletionOrder) -> list[list[str]]:
    return list(iter(lambda: _names(order.ready()), []))


def test_order_takes_linear_time() -> None:
    def lines_executed(count: int) -> int:
        items = [_state("0"), *(_state(str(n), str(n - 1)) for n in range(1, count))]
        lines = 0

        def trace(frame: FrameType, event: str, _: object) -> TraceFunction:
            nonlocal lines
            lines += event == "line"
            return trace

        former = sys.gettrace()
        sys.settrace(trace)
        try:
            order, deleted = _DeletionOrder(items), 0
            while found := order.ready():
                deleted += len(found)
        finally:
            sys.settrace(former)
        assert deleted == count
        return lines

    assert lines_executed(2000) < 12 * lines_executed(200)


def test_failed_update_of_an_undeclared_resource_is_not_repeated(stack: Stack, cloud: Cloud) -> None:
    def refuse(request: object) -> None:
        raise refused("half of it was done")

    stack.up('Thing("a", value=1)\n')
    cloud.after[("Update", "a")] = refuse
    assert not stack.update('Thing("a", value=2)\n').ok
    cloud.after.clear()
    stack.up("pass\n")
    assert cloud.calls("Create", "Update", "Delete") == [("Delete", "a")]
    stack.consistent()


def test_resource_of_an_interrupted_creation_is_deleted_if_it_is_not_declared(
    stack: Stack, cloud: Cloud
) -> None:
    cloud.loses_ids = True
    assert not stack.update('Thing("a", value=1)\n').ok
    cloud.loses_ids = False
    assert (cloud.names(), stack.names()) == ({"a"}, set())
    stack.up("pass\n")
    assert cloud.calls("Create", "Update", "Delete") == [("Delete", "a")]
    stack.consistent()


def test_replacement_of_an_interrupted_update_is_deleted_with_its_undeclared_resource(
    stack: Stack, cloud: Cloud
) -> None:
    stack.up('Thing("a", fixed=1)\n')
    cloud.loses_ids = True
    assert not stack.update('Thing("a", fixed=2)\n').ok
    cloud.loses_ids = False
    assert len(cloud.objects) == 2
    stack.up("pass\n")
    assert not cloud.objects
    stack.consistent()


def test_replaced_resource_with_the_id_of_its_replacement_is_not_deleted(stack: Stack, cloud: Cloud) -> None:
    program = 'Thing("a", ResourceOptions(delete_before_replace=False), name="own", fixed={})\n'
    stack.up(program.format(1))
    assert stack.up(program.format(2)).changed
    assert cloud.calls("Create", "Delete") == [("Create", "a")]
    stack.consistent()
    assert not any(item.delete for item in stack.snapshot().resources)
    assert not stack.up().changed


def test_retained_resource_needs_no_provider(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise refused("no credentials")

    stack.up('Thing("a", ResourceOptions(retain_on_delete=True))\n')
    monkeypatch.setattr(fake_provider.Provider, "Configure", fail)
    assert stack.destroy().ok
    assert not stack.names()


def test_deletion_without_a_working_provider_is_an_error(
    stack: Stack, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise refused("no credentials")

    stack.up('Thing("a")\n')
    monkeypatch.setattr(fake_provider.Provider, "Configure", fail)
    assert not stack.destroy().ok
    assert stack.names() == cloud.names() == {"a"}


def test_update_deletes_in_groups_and_starts_none_after_a_failure(stack: Stack, cloud: Cloud) -> None:
    """As under the CLI: a resource of the last group stays, although nothing refers to it."""

    def refuse(request: object) -> None:
        raise refused("still in use")

    stack.up('base = Thing("base")\nThing("other", ResourceOptions(depends_on=[base]))\nThing("alone")\n')
    cloud.after[("Delete", "other")] = refuse
    assert not stack.update("pass\n").ok
    assert stack.names() == {"base", "other", "alone"}
    cloud.after.clear()
    stack.up("pass\n")
    assert stack.names() == set()


def test_replaced_resource_is_deleted_after_its_undeclared_dependents(stack: Stack, cloud: Cloud) -> None:
    stack.up('base = Thing("base", fixed=1)\nThing("user", ResourceOptions(depends_on=[base]))\n')
    stack.up('Thing("base", fixed=2)\n')
    assert [name for _, name in cloud.calls("Delete")] == ["user", "base"]
