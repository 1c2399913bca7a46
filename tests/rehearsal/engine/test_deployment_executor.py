"""Order of registrations and deletions, and outputs of the stack."""

from __future__ import annotations

import pytest

from rehearsal.engine.events import Op
from rehearsal.engine.program.runner import ProgramError
from rehearsal.pulumi.properties import ResourceReference
from rehearsal.pulumi.urn import ROOT_STACK_TYPE
from tests.rehearsal.engine.conftest import Stack, messages, ops
from tests.rehearsal.engine.fake_provider import Cloud, refused

CHAIN = """
    a = Thing("a", value=1)
    b = Thing("b", value=a.computed)
    c = Thing("c", value=b.computed)
"""


def test_a_dependent_is_created_after_its_dependency(stack: Stack, cloud: Cloud) -> None:
    stack.up(CHAIN)
    assert cloud.order("Create") == ["a", "b", "c"]
    stack.consistent()


def test_depends_on_orders_resources_that_share_no_value(stack: Stack, cloud: Cloud) -> None:
    stack.up('a = Thing("a")\nThing("b", ResourceOptions(depends_on=[a]))\n')
    assert cloud.log.index(("Create", "a", "end")) < cloud.log.index(("Create", "b", "begin"))


def test_undeclared_resources_are_deleted_dependents_first(stack: Stack, cloud: Cloud) -> None:
    stack.up(CHAIN)
    result = stack.up("pass\n")
    assert cloud.order("Delete") == ["c", "b", "a"]
    assert ops(result) == dict.fromkeys("abc", Op.DELETE)
    stack.consistent()


def test_outputs_of_a_component_are_registered_once(stack: Stack) -> None:
    registered = 'group = Group("g")\ngroup.register_outputs({"a": 1})\n'
    stack.up(registered)
    result = stack.preview(f'{registered}group.register_outputs({{"b": 2}})\n')
    assert not result.ok
    assert "register_outputs is called twice; call it once, last" in messages(result)


def test_outputs_of_a_component_that_has_failed_are_not_recorded(stack: Stack) -> None:
    def program(output: int) -> str:
        return f"""
            def refuse(args):
                raise ValueError("refused by a hook")
            hooks = pulumi.ResourceHookBinding(before_update=[pulumi.ResourceHook("h", refuse)])
            options = ResourceOptions(hooks=hooks)
            group = pulumi.ComponentResource("my:index:Group", "g", {{"size": {output}}}, options)
            group.register_outputs({{"a": {output}}})
        """

    stack.up(program(1))
    assert not stack.update(program(2)).ok
    assert stack.record("g").outputs == {"a": 1}


def test_no_outputs_are_recorded_if_one_depends_on_a_resource_that_has_failed(
    stack: Stack, cloud: Cloud
) -> None:
    def refuse(request: object) -> None:
        raise refused("quota exceeded")

    cloud.before[("Create", "b")] = refuse
    assert not stack.update(
        """
        a, b, group = Thing("a"), Thing("b"), Group("g")
        group.register_outputs({"a": a.computed, "b": b.computed})
        pulumi.export("a", a.computed)
        pulumi.export("b", b.computed)
        """
    ).ok
    assert stack.record("g").outputs == {}
    assert stack.record("toys-test").outputs == {}


def test_stash_holds_references_to_resources(stack: Stack) -> None:
    stack.up('thing = Thing("a", value=1)\npulumi.Stash("s", input=[thing])\n')
    [reference] = stack.record("s").inputs["input"]
    assert reference == ResourceReference(stack.record("a").urn, stack.record("a").id)


def test_refresh_leaves_the_assets_of_a_stash(stack: Stack) -> None:
    program = 'pulumi.Stash("s", input=pulumi.StringAsset("{}"))\n'
    stack.up(program.format("one"))
    stack.up(program.format("two"))
    before = stack.record("s").outputs
    assert before["output"].fields["text"] == "one"
    assert stack.refresh().ok
    assert stack.record("s").outputs == before


def test_stack_outputs_without_a_new_value_outlast_the_failure_of_a_deletion(
    stack: Stack, cloud: Cloud
) -> None:
    """The deletion comes after the registration of the outputs."""

    def refuse(request: object) -> None:
        raise refused("still in use")

    stack.up('Thing("a")\npulumi.export("x", 1)\npulumi.export("y", 1)\n')
    cloud.before[("Delete", "a")] = refuse
    result = stack.update('pulumi.export("x", 2)\n')
    assert [item.message for item in result.errors] == ["still in use"]
    assert stack.record("toys-test").outputs == {"x": 2, "y": 1}
    assert [item.outputs for item in result.snapshot.resources if item.type == ROOT_STACK_TYPE] == [
        {"x": 2, "y": 1}
    ]


def test_stack_outputs_without_a_new_value_outlast_a_failure(stack: Stack, cloud: Cloud) -> None:
    def refuse(request: object) -> None:
        raise refused("quota exceeded")

    stack.up('pulumi.export("x", 1)\npulumi.export("y", 1)\n')
    cloud.before[("Create", "b")] = refuse
    assert not stack.update('pulumi.export("x", 2)\nThing("b")\n').ok
    assert stack.record("toys-test").outputs == {"x": 2, "y": 1}
    with pytest.raises(ProgramError):
        stack.update('pulumi.export("x", 3)\nraise ValueError("stopped")\n')
    assert stack.record("toys-test").outputs["y"] == 1
    stack.up('pulumi.export("x", 2)\n')
    assert stack.record("toys-test").outputs == {"x": 2}
