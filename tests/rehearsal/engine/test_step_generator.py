"""Steps of declared resources: create, update, replace, import and read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pulumi.runtime.proto import analyzer_pb2

from rehearsal.engine.events import Op
from rehearsal.pulumi.properties import Secret
from rehearsal.pulumi.urn import name_of
from tests.rehearsal.engine.conftest import Stack, messages, ops
from tests.rehearsal.engine.fake_provider import Cloud
from tests.rehearsal.engine.test_policy_checks import Pack, finding, remedy


def test_a_changed_input_updates_in_place(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("a", value=1)\n')
    id_ = stack.record("a").id
    result = stack.up('Thing("a", value=2)\n')
    assert ops(result) == {"a": Op.UPDATE}
    assert stack.record("a").id == id_
    stack.consistent()


def test_a_replacement_creates_before_it_deletes(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("a", fixed=1)\n')
    result = stack.up('Thing("a", fixed=2)\n')
    assert ops(result) == {"a": Op.REPLACE}
    assert cloud.calls("Create", "Delete") == [("Create", "a"), ("Delete", "a")]
    stack.consistent()


def test_trigger_that_is_unknown_in_a_preview_plans_a_replacement(stack: Stack) -> None:
    stack.up('Thing("a", ResourceOptions(replacement_trigger="1"))\n')
    program = 'new = Thing("new")\nThing("a", ResourceOptions(replacement_trigger=new.id))\n'
    assert ops(stack.preview(program)) == {"new": Op.CREATE, "a": Op.REPLACE}
    assert ops(stack.up(program)) == {"new": Op.CREATE, "a": Op.REPLACE}


def test_interrupted_replacement_with_other_inputs_is_deleted_before_the_next_one(
    stack: Stack, cloud: Cloud
) -> None:
    stack.up('Thing("a", fixed=1)\n')
    cloud.loses_ids = True
    assert not stack.update('Thing("a", fixed=2)\n').ok
    cloud.loses_ids = False
    stack.up('Thing("a", fixed=3)\n')
    assert [item["inputs"]["fixed"] for item in cloud.objects.values()] == [3]
    stack.consistent()


def test_interrupted_replacement_with_the_same_inputs_is_resumed(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("a", fixed=1)\n')
    cloud.loses_ids = True
    assert not stack.update('Thing("a", fixed=2)\n').ok
    cloud.loses_ids = False
    stack.up('Thing("a", fixed=2)\n')
    assert cloud.calls("Create", "Delete") == [("Create", "a"), ("Delete", "a")]
    assert [item["inputs"]["fixed"] for item in cloud.objects.values()] == [2]
    stack.consistent()


def test_delete_before_replace_is_an_option(stack: Stack, cloud: Cloud) -> None:
    program = 'Thing("a", ResourceOptions(delete_before_replace=True), fixed={n})\n'
    stack.up(program.format(n=1))
    stack.up(program.format(n=2))
    assert cloud.calls("Create", "Delete") == [("Delete", "a"), ("Create", "a")]
    stack.consistent()


@pytest.mark.parametrize(
    ("fixed", "calls"),
    [(1, [("Delete", "a"), ("Create", "a")]), (2, [("Create", "a"), ("Delete", "a")])],
    ids=["unchanged", "replaced anyway"],
)
def test_resource_whose_provider_is_another_one_is_deleted_before_it_is_created(
    stack: Stack, cloud: Cloud, fixed: int, calls: list[tuple[str, str]]
) -> None:
    program = """
        p = Provider("p", fixed={p})
        q = Provider("q", fixed={q})
        Thing("a", ResourceOptions(provider={provider}), fixed={n})
    """
    stack.up(program.format(p=1, q=2, provider="p", n=1))
    result = stack.up(program.format(p=1, q=2, provider="q", n=fixed))
    assert ops(result) == {"a": Op.REPLACE}
    assert cloud.calls("Create", "Delete") == calls
    stack.consistent()


def test_a_protected_resource_is_not_replaced(stack: Stack, cloud: Cloud) -> None:
    program = 'Thing("a", ResourceOptions(protect=True), fixed={n})\n'
    stack.up(program.format(n=1))
    result = stack.update(program.format(n=2))
    assert "protected" in messages(result)[0]
    assert not cloud.calls("Create", "Delete")


def test_ignored_changes_are_ignored_also_under_wildcards(stack: Stack, cloud: Cloud) -> None:
    program = """
        ignored = ResourceOptions(ignore_changes=["value", "rules[*].port"])
        Thing("a", ignored, value={n}, rules=[{{"port": {n}, "to": 1}}])
    """
    stack.up(program.format(n=1))
    assert not stack.up(program.format(n=2)).changed


def test_an_alias_carries_a_resource_to_its_new_name(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("old", value=1)\n')
    id_ = stack.record("old").id
    assert not ops(
        stack.up('Thing("new", ResourceOptions(aliases=[Alias(name="old")]), auto="x", value=1)\n')
    ).get("old")
    assert stack.names() == {"new"}
    assert stack.record("new").id == id_


def test_failing_checks_of_all_resources_are_listed_in_one_preview(stack: Stack) -> None:
    result = stack.preview('Thing("a", bad1=1, bad2=2)\nThing("b", bad3=1)\n')
    assert len(result.errors) == 3
    assert not result.ok


def test_an_id_is_never_secret(stack: Stack) -> None:
    result = stack.up('Thing("a", ResourceOptions(additional_secret_outputs=["id", "computed"]), id="i")\n')
    assert stack.record("a").outputs["id"] == "i"
    assert stack.record("a").outputs["computed"] == Secret("a-computed")
    assert messages(result) == ["additionalSecretOutputs: id cannot be secret"]


def test_protection_alone_is_recorded(stack: Stack) -> None:
    stack.up('Thing("a")\n')
    stack.up('Thing("a", ResourceOptions(protect=True))\n')
    assert stack.record("a").protect


def test_read_of_another_resource_replaces_the_managed_one(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("a", name="one")\nThing("b", name="other")\n')
    source = 'Thing("b", name="other")\nThing("a", ResourceOptions(id="{}"))\n'
    assert ops(stack.up(source.format("other"))) == {"a": Op.REPLACE}
    assert cloud.calls("Delete") == [("Delete", "a")]
    assert stack.record("a").external


def test_read_that_replaces_a_managed_resource_replaces_resources_bound_to_it(stack: Stack) -> None:
    declared = 'Thing("b", name="other")\na = Thing("a", {})\nThing("c", ResourceOptions(replace_with=[a]))\n'
    stack.up(declared.format('name="one"'))
    result = stack.up(declared.format('ResourceOptions(id="other")'))
    assert ops(result) == {"a": Op.REPLACE, "c": Op.REPLACE}
    assert not stack.up().changed


def test_resource_that_is_read_follows_its_renamed_component(stack: Stack) -> None:
    source = """
        Thing("b", name="other")
        g = Group("{}", ResourceOptions(aliases=[Alias(name="g")]), kind="my:index:{}")
        Thing("a", ResourceOptions(id="other", parent=g))
    """
    stack.up('Thing("b", name="other")\n')
    stack.up(source.format("g", "Group"))
    source = source.replace('name="g"', 'name="g", type_="my:index:Group"')
    result = stack.up(source.format("h", "Herd"))
    assert ops(result) == {"a": Op.READ}
    assert stack.record("a").urn.endswith("my:index:Herd$toy:index:Thing::a")


@pytest.mark.parametrize("level", [analyzer_pb2.MANDATORY, analyzer_pb2.ADVISORY])
def test_a_mandatory_violation_prevents_the_step(stack: Stack, cloud: Cloud, level: Any) -> None:
    stack.pack = Pack([finding("small", "too small", level)])
    mandatory = level == analyzer_pb2.MANDATORY
    assert ops(stack.preview('Thing("a")\n')) == {"a": Op.CREATE}, "a preview shows the rest of the plan"
    assert stack.update().ok is not mandatory
    assert cloud.names() == (set() if mandatory else {"a"})


def test_a_remediation_changes_the_inputs_that_are_sent_and_recorded(stack: Stack, cloud: Cloud) -> None:
    stack.pack = Pack([], [remedy(name="a", value=2)])
    stack.up('Thing("a", name="a", value=1)\n')
    assert [item["inputs"]["value"] for item in cloud.objects.values()] == [2]
    assert stack.record("a").inputs["value"] == 2


@pytest.mark.parametrize("option", ["import_", "id"])
def test_provider_is_neither_imported_nor_read(stack: Stack, cloud: Cloud, option: str) -> None:
    declared = f'pulumi.ProviderResource("toy", "p", {{}}, ResourceOptions({option}="x"))'
    result = stack.preview(f"{declared}\n")
    assert "provider resources may not be read or imported" in messages(result)


def test_import_of_the_id_that_a_resource_has_changes_nothing(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("a", value=1)\n')
    id_ = stack.record("a").id
    result = stack.up(f'Thing("a", ResourceOptions(import_="{id_}"), value=1)\n')
    assert ops(result) == {}
    assert cloud.calls("Create", "Delete", "Read") == []
    assert stack.record("a").id == id_


BOX = """
class Box(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("toy:index:Box", name)
{}
"""


@pytest.mark.parametrize("declared", ['Thing("a", value=1)', 'Box("a")'])
def test_tainted_resource_is_replaced_once(stack: Stack, declared: str) -> None:
    """`pulumi state taint` marks the record."""
    program = BOX.format(declared)
    stack.up(program)
    snapshot = stack.snapshot()
    resources = tuple(replace(item, tainted=name_of(item.urn) == "a") for item in snapshot.resources)
    with stack.store.lock("test"):
        stack.store.fold(replace(snapshot, resources=resources))
    assert stack.refresh().ok
    assert stack.record("a").tainted
    assert ops(stack.up(program)) == {"a": Op.REPLACE}
    assert ops(stack.up(program)) == {}


def test_component_replaces_the_resource_that_its_alias_names(stack: Stack, cloud: Cloud) -> None:
    """As in the CLI: a resource that becomes a component is deleted."""
    stack.up('Thing("a", value=1)\n')
    program = """
    class Box(pulumi.ComponentResource):
        def __init__(self, name):
            alias = pulumi.Alias(type_="toy:index:Thing")
            super().__init__("toy:index:Box", name, opts=ResourceOptions(aliases=[alias]))
    Box("a")
    """
    assert ops(stack.up(program)) == {"a": Op.REPLACE}
    assert cloud.names() == set()
    assert not stack.record("a").custom
    assert ops(stack.up(program)) == {}


def test_resource_replaces_the_component_that_its_alias_names(stack: Stack, cloud: Cloud) -> None:
    stack.up(BOX.format('Box("a")'))
    alias = 'Thing("a", ResourceOptions(aliases=[pulumi.Alias(type_="toy:index:Box")]))'
    assert ops(stack.up(BOX.format(alias))) == {"a": Op.REPLACE}
    assert cloud.names() == {"a"}
    assert stack.record("a").custom
