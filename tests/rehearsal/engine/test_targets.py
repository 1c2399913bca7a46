"""Operations on some resources only: `--target`, `--exclude`, `--replace` and their dependents."""

from __future__ import annotations

import pytest

from rehearsal.engine.events import Op
from rehearsal.engine.targets import ALL, Patterns, Targets
from rehearsal.errors import KingdomError
from tests.rehearsal.engine.conftest import Stack, messages, ops
from tests.rehearsal.engine.fake_provider import Cloud

GROUP = "urn:pulumi:test::toys::my:index:Group"


def urn(name: str, kind: str = "toy:index:Thing") -> str:
    return f"urn:pulumi:test::toys::{kind}::{name}"


CHAIN = """
    a = Thing("a", value={n})
    b = Thing("b", value=a.computed, fixed={n})
    c = Thing("c", value={n})
    pulumi.export("n", {n})
"""


# -- patterns ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        (urn("a"), True),
        (urn("b"), False),
        ("**::a", True),
        ("*::a", False),  # one star stands for no colon
        ("urn:pulumi:*::toys::toy:index:Thing::*", True),
        ("**toy:index:Thing::**", True),
        ("**.a", False),  # a dot stands for itself
    ],
)
def test_stars_are_wildcards_of_urns(pattern: str, matches: bool) -> None:
    assert Patterns((pattern,)).match(urn("a")) is matches


# -- targets -----------------------------------------------------------------------------------------------


def test_only_the_target_is_updated(stack: Stack, cloud: Cloud) -> None:
    stack.up(CHAIN.format(n=1))
    stack.targets = Targets.of(target=[urn("c")])
    assert ops(stack.up(CHAIN.format(n=2))) == {"c": Op.UPDATE}
    assert cloud.calls("Create", "Update", "Delete") == [("Update", "c")]
    assert (stack.record("a").inputs["value"], stack.record("c").inputs["value"]) == (1, 2)
    stack.targets = ALL
    assert ops(stack.up()) == {"a": Op.UPDATE, "b": Op.REPLACE}


def test_dependents_of_a_target_are_updated_on_request(stack: Stack) -> None:
    stack.up(CHAIN.format(n=1))
    stack.targets = Targets.of(target=[urn("a")], target_dependents=True)
    assert ops(stack.up(CHAIN.format(n=2))) == {"a": Op.UPDATE, "b": Op.REPLACE}


def test_new_resource_that_is_not_a_target_is_not_created(stack: Stack, cloud: Cloud) -> None:
    stack.targets = Targets.of(target=[urn("a")])
    stack.up(CHAIN.format(n=1))
    assert cloud.names() == stack.names() == {"a"}


def test_output_of_a_resource_that_is_not_created_retains_its_former_value(stack: Stack) -> None:
    stack.up('Thing("a")\npulumi.export("x", 1)\npulumi.export("y", 1)\npulumi.export("gone", 1)\n')
    stack.targets = Targets.of(target=[urn("a")])
    stack.up(
        'Thing("a", value=2)\nb = Thing("b")\npulumi.export("x", b.computed)\npulumi.export("y", 2)\n'
        'pulumi.export("new", b.computed)\n'
    )
    assert stack.record("toys-test").outputs == {"x": 1, "y": 2}


def test_target_that_needs_a_resource_that_is_not_created_is_refused(stack: Stack, cloud: Cloud) -> None:
    stack.targets = Targets.of(target=[urn("b")])
    planned = stack.preview(CHAIN.format(n=1))
    text = f"it depends on {urn('a')}, which would have to be created and is not a target"
    assert messages(planned) == [text]
    assert not stack.update().ok
    assert not cloud.objects


def test_undeclared_resources_stay_unless_they_are_targets(stack: Stack) -> None:
    stack.up('Thing("a")\nThing("b")\n')
    stack.targets = Targets.of(target=[urn("a")])
    assert ops(stack.up("pass\n")) == {"a": Op.DELETE}
    assert stack.names() == {"b"}
    stack.consistent()


def test_excluded_children_of_a_component_follow_its_new_type(stack: Stack, cloud: Cloud) -> None:
    stack.up(
        'g = Group("one")\ninner = Group("inner", ResourceOptions(parent=g))\n'
        'Thing("a", ResourceOptions(parent=inner))\nThing("b", ResourceOptions(parent=inner))\n'
    )
    stack.targets = Targets.of(exclude=["**::a"])
    was = 'ResourceOptions(aliases=[Alias(name="one", type_="my:index:Group")])'
    stack.up(f'Group("two", {was}, kind="my:index:Team")\n')
    assert cloud.names() == {"a"}
    assert stack.record("inner").urn == urn("inner", "my:index:Team$my:index:Group")
    assert stack.record("a").urn == urn("a", "my:index:Team$my:index:Group$toy:index:Thing")
    assert stack.record("a").parent == stack.record("inner").urn
    assert not stack.snapshot().pending


def test_dependents_of_a_deleted_target_are_deleted_on_request_only(stack: Stack, cloud: Cloud) -> None:
    stack.up('a = Thing("a")\nThing("b", value=a.computed)\nThing("c")\n')
    stack.targets = Targets.of(target=[urn("a")])
    refused = stack.destroy()
    assert [item.urn for item in refused.errors] == [urn("b")]
    assert "--target-dependents" in messages(refused)[0]
    assert cloud.names() == {"a", "b", "c"}
    stack.targets = Targets.of(target=[urn("a")], target_dependents=True)
    assert stack.destroy().ok
    assert cloud.order("Delete") == ["b", "a"]
    assert stack.names() == {"c"}
    stack.consistent()


def test_renamed_resource_that_is_not_a_target_has_its_former_urn(stack: Stack, cloud: Cloud) -> None:
    stack.up('g = Group("g")\nThing("a", ResourceOptions(parent=g))\nThing("c", value=1)\n')
    stack.targets = Targets.of(target=[urn("c")])
    renamed = """
        g = Group("h", ResourceOptions(aliases=[Alias(name="g")]))
        Thing("a", ResourceOptions(parent=g))
        Thing("c", value=2)
    """
    assert ops(stack.up(renamed)) == {"c": Op.UPDATE}
    assert stack.record("g").urn == f"{GROUP}::g"
    assert stack.record("a").parent == f"{GROUP}::g"
    stack.targets = ALL
    assert ops(stack.up()) == {}
    assert stack.record("h").urn == f"{GROUP}::h"
    assert not cloud.calls("Create", "Delete")


def test_target_that_an_unchanged_resource_needs_is_not_deleted(stack: Stack) -> None:
    """The CLI emits a step for what an unchanged record refers to, and deletes only what has none."""
    stack.up('d = Thing("d")\nThing("u", ResourceOptions(depends_on=[d]), value=1)\n')
    stack.targets = Targets.of(target=[urn("d")])
    assert ops(stack.up('Thing("u", value=2)\n')) == {}
    assert stack.names() == {"d", "u"}
    stack.targets = ALL
    assert ops(stack.up()) == {"d": Op.DELETE, "u": Op.UPDATE}
    stack.consistent()


def test_dependents_of_a_resource_that_is_created_again_are_not_selected(stack: Stack) -> None:
    """A dependent that is deleted before a target is not a target itself, although it is replaced."""
    program = """
        a = Thing("a", ResourceOptions(delete_before_replace=True), fixed={n})
        b = Thing("b", fixed=a.computed)
        Thing("c", ResourceOptions(depends_on=[b]), value={n})
    """
    stack.up(program.format(n=1))
    stack.targets = Targets.of(target=[urn("a")], target_dependents=True)
    assert ops(stack.up(program.format(n=2))) == {"a": Op.REPLACE, "b": Op.REPLACE}


def test_component_that_is_deleted_with_a_target_is_created_again(stack: Stack) -> None:
    program = """
        a = Thing("a", ResourceOptions(delete_before_replace=True), fixed={n})
        Group("g", ResourceOptions(deleted_with=a))
    """
    stack.up(program.format(n=1))
    stack.targets = Targets.of(target=[urn("a")])
    assert ops(stack.up(program.format(n=2))) == {"a": Op.REPLACE, "g": Op.REPLACE}
    assert not stack.record("g").pending_replacement


def test_component_that_is_not_created_registers_no_outputs(stack: Stack) -> None:
    stack.targets = Targets.of(target=[urn("a")])
    stack.up('g = Group("g")\ng.register_outputs({"x": 1})\nThing("a")\n')
    assert "g" not in {item.urn for item in stack.snapshot().resources}
    assert stack.names() == {"a"}


def test_unknown_target_is_an_error_after_the_operation(stack: Stack, cloud: Cloud) -> None:
    stack.targets = Targets.of(target=[urn("nothing"), urn("a")])
    result = stack.update('Thing("a")\n')
    assert messages(result) == [
        f"neither the program nor the state of the stack has the resource {urn('nothing')}"
    ]
    assert cloud.names() == {"a"}


@pytest.mark.parametrize("operation", ["destroy", "refresh"])
def test_unknown_target_of_an_operation_without_program_is_refused(stack: Stack, operation: str) -> None:
    stack.up('Thing("a")\n')
    stack.targets = Targets.of(target=[urn("nothing")])
    with pytest.raises(KingdomError, match="nothing"):
        getattr(stack, operation)()
    assert stack.names() == {"a"}


# -- excludes ----------------------------------------------------------------------------------------------


def test_excluded_resource_stays_as_it_is(stack: Stack) -> None:
    stack.up(CHAIN.format(n=1))
    stack.targets = Targets.of(exclude=[urn("a")])
    assert ops(stack.up(CHAIN.format(n=2))) == {"b": Op.REPLACE, "c": Op.UPDATE}
    assert stack.record("a").inputs["value"] == 1


def test_dependents_of_an_excluded_resource_stay_on_request(stack: Stack) -> None:
    stack.up(CHAIN.format(n=1))
    stack.targets = Targets.of(exclude=[urn("a")], exclude_dependents=True)
    assert ops(stack.up(CHAIN.format(n=2))) == {"c": Op.UPDATE}


def test_replaced_resources_stay_recorded_while_all_dependents_of_the_stack_are_excluded(
    stack: Stack, cloud: Cloud
) -> None:
    """An excluded resource needs the root stack, on which all resources depend: none is deleted."""
    program = """
        Thing("a", value={n})
        Thing("b", fixed={n})
        Thing("own", ResourceOptions(delete_before_replace=False), name="own", fixed={n})
    """
    stack.up(program.format(n=1))
    stack.targets = Targets.of(exclude=[urn("a")], exclude_dependents=True)
    assert ops(stack.up(program.format(n=2))) == {"b": Op.REPLACE, "own": Op.REPLACE}
    retired = [item.urn for item in stack.snapshot().resources if item.delete]
    assert sorted(retired) == [urn("b"), urn("own")]  # also the one whose id is that of its replacement
    assert not cloud.calls("Delete")
    stack.targets = ALL
    assert ops(stack.up()) == {"a": Op.UPDATE}
    assert cloud.calls("Delete") == [("Delete", "b")]
    stack.consistent()
    assert not any(item.delete for item in stack.snapshot().resources)


def test_excluded_resource_that_was_only_read_is_created_with_the_inputs_of_the_read(
    stack: Stack, cloud: Cloud
) -> None:
    """The CLI's step generator takes over resources that were read before it considers the selection."""
    other = 'Thing("other", name="there")\n'
    stack.up(other)
    stack.up(other + 'Thing("r", ResourceOptions(id="there"), name="mine")\n')
    stack.targets = Targets.of(exclude=[urn("r")])
    assert ops(stack.up(other + 'Thing("r", value=1)\n')) == {"r": Op.REPLACE}
    assert not stack.record("r").external
    assert stack.record("r").inputs == {"name": "mine"}
    assert cloud.names() == {"other", "r"}


def test_resource_that_needs_an_excluded_new_one_is_refused(stack: Stack, cloud: Cloud) -> None:
    """The CLI creates it, and ends with `snapshot integrity failure`."""
    stack.targets = Targets.of(exclude=[urn("a")])
    result = stack.update(CHAIN.format(n=1))
    assert f"it depends on {urn('a')}, which would have to be created and is excluded" in messages(result)
    assert "b" not in stack.names()
    stack.targets = Targets.of(exclude=[urn("a")], exclude_dependents=True)
    stack.up()
    assert cloud.names() == {"c"}


def test_destruction_spares_excluded_resources_with_everything_that_they_need(
    stack: Stack, cloud: Cloud
) -> None:
    stack.up(
        'a = Thing("a")\ng = Group("g")\nThing("c")\n'
        'Thing("b", ResourceOptions(parent=g), value=a.computed)\n'
    )
    stack.targets = Targets.of(exclude=["**::b"])
    assert stack.destroy().ok
    assert cloud.names() == {"a", "b"}
    assert {item.urn.rpartition("::")[2] for item in stack.snapshot().resources} >= {"a", "b", "g"}
    stack.consistent()


def test_protected_resources_can_be_excluded_from_a_destruction(stack: Stack, cloud: Cloud) -> None:
    stack.up('a = Thing("a")\nThing("b", ResourceOptions(protect=True), value=a.computed)\nThing("c")\n')
    protected = [item.urn for item in stack.snapshot().resources if item.protect]
    stack.targets = ALL.excluding(protected)
    assert stack.destroy().ok
    assert cloud.names() == {"a", "b"}


# -- replacements ------------------------------------------------------------------------------------------


def test_unchanged_resource_is_replaced_on_request(stack: Stack, cloud: Cloud) -> None:
    first = "ResourceOptions(delete_before_replace=True)"
    stack.up(f'Thing("a", {first}, value=1)\nThing("b")\ng = Group("g")\n')
    stack.targets = Targets.of(replace=[urn("a"), f"{GROUP}::g"])
    assert ops(stack.up()) == {"a": Op.REPLACE, "g": Op.REPLACE}
    assert cloud.calls("Create", "Delete") == [("Delete", "a"), ("Create", "a")]
    stack.consistent()


def test_requested_replacement_has_no_names_and_ignored_values_of_the_former_resource(stack: Stack) -> None:
    program = 'Thing("a", ResourceOptions(ignore_changes=["value"]), value={n})\n'
    stack.up(program.format(n=1))
    stack.targets = Targets.of(target_replace=[urn("a")])
    assert ops(stack.up(program.format(n=2))) == {"a": Op.REPLACE}
    assert stack.record("a").inputs["value"] == 2


def test_replacement_of_an_unknown_resource_is_refused_before_the_program_runs(
    stack: Stack, cloud: Cloud
) -> None:
    stack.targets = Targets.of(replace=[urn("a")])
    with pytest.raises(KingdomError, match="no resource with these URNs"):
        stack.update('Thing("a")\n')
    assert not cloud.objects


# -- refresh -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "included"),
    [
        (Targets.of(target=[urn("a")]), {"a"}),
        (Targets.of(target=[urn("a")], target_dependents=True), {"a", "b"}),
        (Targets.of(exclude=[urn("a")]), {"b", "c"}),
        (Targets.of(exclude=[urn("a")], exclude_dependents=True), {"c"}),
    ],
)
def test_refresh_of_some_resources(stack: Stack, cloud: Cloud, targets: Targets, included: set[str]) -> None:
    stack.up(CHAIN.format(n=1))
    for item in cloud.objects.values():
        item["inputs"]["value"] = "drifted"
    stack.targets = targets
    assert stack.refresh().ok
    assert {name for name in "abc" if stack.record(name).inputs["value"] == "drifted"} == included


@pytest.mark.parametrize("exists", [True, False])
def test_refresh_includes_replaced_resources_that_wait_for_their_deletion(
    stack: Stack, cloud: Cloud, *, exists: bool
) -> None:
    program = 'Thing("a")\nb = Thing("b", fixed={n})\nThing("c", ResourceOptions(depends_on=[b]))\n'
    stack.up(program.format(n=1))
    (former,) = (id_ for id_, item in cloud.objects.items() if item["urn"] == urn("b"))
    stack.targets = Targets.of(exclude=[urn("a")], exclude_dependents=True)
    stack.up(program.format(n=2))
    if exists:
        cloud.objects[former]["inputs"]["value"] = "drifted"
    else:
        del cloud.objects[former]
    stack.targets = ALL
    assert stack.refresh().ok
    retired = [item.inputs.get("value") for item in stack.snapshot().resources if item.delete]
    assert retired == (["drifted"] if exists else [])
    assert stack.record("c").dependencies == (urn("b"),)


def test_preview_after_a_refresh_plans_against_the_cloud_and_records_nothing(
    stack: Stack, cloud: Cloud
) -> None:
    stack.up('Thing("a", value=1)\n')
    next(iter(cloud.objects.values()))["inputs"]["value"] = 5
    before = stack.file.read_text()
    assert ops(stack.preview()) == {}
    assert ops(stack.preview(refresh=True)) == {"a": Op.UPDATE}
    assert stack.file.read_text() == before
