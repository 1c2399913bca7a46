"""Steps against a provider: what is recorded before and after each call."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.engine.events import Op
from rehearsal.providers.errors import InitFailedError
from tests.rehearsal.engine.conftest import Stack, messages, ops
from tests.rehearsal.engine.fake_provider import Cloud, refused


def test_a_retained_resource_stays_in_the_cloud(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("a", ResourceOptions(retain_on_delete=True))\n')
    stack.up("pass\n")
    assert cloud.names() == {"a"}
    assert not stack.names()


def test_a_resource_with_deleted_with_is_not_deleted_separately(stack: Stack, cloud: Cloud) -> None:
    stack.up('a = Thing("a")\nThing("b", ResourceOptions(deleted_with=a))\n')
    stack.destroy()
    assert cloud.order("Delete") == ["a"]


def test_a_resource_that_never_became_ready_is_recorded_and_updated_next_time(
    stack: Stack, cloud: Cloud
) -> None:
    def unready(request: object) -> None:
        object_id = next(iter(cloud.objects))
        raise InitFailedError(object_id, {"value": 1}, {"value": 1}, ["still starting"])

    cloud.after[("Create", "a")] = unready
    result = stack.update('Thing("a", value=1)\n')
    assert "still starting" in messages(result)[0]
    assert stack.record("a").init_errors
    cloud.after.clear()
    assert ops(stack.up()) == {"a": Op.UPDATE}
    assert not stack.record("a").init_errors


def never_ready(cloud: Cloud) -> Any:
    def unready(request: Any) -> None:
        *_, object_id = (id_ for id_, item in cloud.objects.items() if item["urn"] == request.urn)
        raise InitFailedError(object_id, {"value": 1}, {"value": 1}, ["still starting", "quota exceeded"])

    return unready


def test_a_resource_that_is_not_ready_blocks_its_dependents_until_it_is(stack: Stack, cloud: Cloud) -> None:
    program = 'a = Thing("a", value=1)\nThing("b", value=a.computed)\n'
    cloud.after[("Create", "a")] = cloud.after[("Update", "a")] = never_ready(cloud)
    result = stack.update(program)
    assert "still starting" in messages(result)[0]
    assert "quota exceeded" in messages(result)[0]
    assert stack.names() == {"a"}
    assert not stack.update(program).ok
    assert stack.record("a").init_errors == ("still starting", "quota exceeded")
    assert cloud.calls("Create", "Update", "Delete") == [("Update", "a")]
    cloud.after.clear()
    assert ops(stack.up()) == {"a": Op.UPDATE, "b": Op.CREATE}
    stack.consistent()
    assert not stack.up().changed


@pytest.mark.parametrize("then", ["pass\n", 'Thing("a", value=1, fixed=2)\n'], ids=["goes", "is replaced"])
def test_a_resource_that_never_became_ready_can_be_deleted_and_replaced(
    stack: Stack, cloud: Cloud, then: str
) -> None:
    cloud.after[("Create", "a")] = never_ready(cloud)
    stack.update('Thing("a", value=1)\n')
    cloud.after.clear()
    stack.up(then)
    stack.consistent()
    assert ("Delete", "a") in cloud.calls()


def test_the_old_resource_is_retained_until_its_replacement_is_ready(stack: Stack, cloud: Cloud) -> None:
    program = 'Thing("a", fixed={n})\n'
    stack.up(program.format(n=1))
    cloud.after[("Create", "a")] = never_ready(cloud)
    assert not stack.update(program.format(n=2)).ok
    assert len(cloud.objects) == 2
    cloud.after.clear()
    stack.up()
    assert len(cloud.objects) == 1
    stack.consistent()


def test_a_failed_update_is_repeated_without_a_changed_declaration(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("a", value=1)\n')

    def refuse(request: Any) -> None:
        raise refused("half of it was done")

    cloud.after[("Update", "a")] = refuse
    assert not stack.update('Thing("a", value=2)\n').ok
    cloud.after.clear()
    # After a revert the records are unchanged, but the cloud has a part of the update.
    stack.up('Thing("a", value=1)\n')
    assert next(iter(cloud.objects.values()))["inputs"]["value"] == 1
    stack.consistent()


def test_a_failed_deletion_retains_dependencies_and_is_retried(stack: Stack, cloud: Cloud) -> None:
    stack.up('a = Thing("a")\nb = Thing("b", value=a.computed)\nThing("c")\n')

    def refuse(request: Any) -> None:
        raise refused("it is in use")

    cloud.before[("Delete", "b")] = refuse
    result = stack.destroy()
    assert "it is in use" in messages(result)[0]
    # Resources without dependencies are one group, which is deleted last.
    assert cloud.names() == stack.names() == {"a", "b", "c"}
    cloud.before.clear()
    assert stack.destroy().ok
    assert not cloud.objects
