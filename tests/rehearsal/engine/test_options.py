"""Combinations of resource options, with the behavior of the CLI's engine."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.engine.events import Op
from rehearsal.engine.program.runner import ProgramError
from tests.rehearsal.engine.conftest import Stack, messages, ops
from tests.rehearsal.engine.fake_provider import Cloud, refused

# -- deleteBeforeReplace and aliases of providers ---------------------------------------------------------


def test_resources_of_a_provider_that_is_renamed_and_replaced_stay(stack: Stack, cloud: Cloud) -> None:
    thing = 'Thing("a", ResourceOptions(provider=p), value=1)\n'
    stack.up('p = Provider("p", fixed="north")\n' + thing)
    was = 'ResourceOptions(aliases=[Alias(name="p")])'
    assert ops(stack.up(f'p = Provider("q", {was}, fixed="south")\n{thing}')) == {}
    assert not cloud.calls("Create", "Delete")
    assert stack.record("a").provider == f"{stack.record('q').urn}::{stack.record('q').id}"


def test_a_failed_creation_after_delete_before_replace_is_retried_by_the_next_update(
    stack: Stack, cloud: Cloud
) -> None:
    program = """
        a = Thing("a", ResourceOptions(delete_before_replace=True), fixed={n})
        Thing("b", fixed=a.computed)
    """
    stack.up(program.format(n=1))

    def refuse(request: Any) -> None:
        raise refused("quota exceeded")

    cloud.before[("Create", "a")] = refuse
    assert not stack.update(program.format(n=2)).ok
    assert not cloud.objects
    cloud.before.clear()
    assert ops(stack.up()) == dict.fromkeys("ab", Op.REPLACE)
    assert cloud.calls("Create", "Delete") == [("Create", "a"), ("Create", "b")]
    stack.consistent()


# -- protect, retainOnDelete, deletedWith ------------------------------------------------------------------


def test_a_protected_resource_that_is_no_longer_declared_stays_with_all_others(
    stack: Stack, cloud: Cloud
) -> None:
    stack.up('Thing("a", ResourceOptions(protect=True))\nThing("b")\n')
    result = stack.update("pass\n")
    assert not result.ok
    assert [message for message in messages(result) if "protected" in message]
    assert cloud.names() == {"a", "b"}
    assert stack.names() == {"a", "b"}


@pytest.mark.parametrize("other", ['import_="auto-b"', 'id="auto-b"'], ids=["import", "read"])
def test_protection_does_not_extend_to_imports_and_reads_of_others(
    stack: Stack, cloud: Cloud, other: str
) -> None:
    """As with the CLI, which deletes the protected resource; here a warning is reported."""
    stack.up('Thing("a", ResourceOptions(protect=True), auto="auto-a")\nThing("b", auto="auto-b")\n')
    read = f'Thing("a", ResourceOptions(protect=True, {other}), auto="auto-b")\nThing("b", auto="auto-b")\n'
    preview = stack.preview(read)
    assert preview.ok
    assert any("auto-a is deleted nevertheless" in message for message in messages(preview))
    stack.up(read)
    assert cloud.order("Delete") == ["a"]
    assert stack.record("a").id == "auto-b"


def test_a_resource_is_deleted_after_its_protection_is_removed(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("a", ResourceOptions(protect=True))\n')
    stack.up('Thing("a")\n')
    stack.up("pass\n")
    assert not cloud.objects


def test_a_retained_resource_is_left_behind_when_it_is_replaced(stack: Stack, cloud: Cloud) -> None:
    program = 'Thing("a", ResourceOptions(retain_on_delete=True), fixed={n})\n'
    stack.up(program.format(n=1))
    stack.up(program.format(n=2))
    assert cloud.calls("Create", "Delete") == [("Create", "a")]
    assert len(cloud.objects) == 2
    assert [item.id for item in stack.snapshot().resources if item.urn.endswith("::a")] == [
        stack.record("a").id
    ]


def test_retention_is_read_from_the_record_when_the_resource_is_undeclared(
    stack: Stack, cloud: Cloud
) -> None:
    stack.up('Thing("a", ResourceOptions(retain_on_delete=True))\n')
    stack.up('Thing("a")\n')
    stack.up("pass\n")
    assert cloud.order("Delete") == ["a"]


def test_deleted_with_a_remaining_resource_is_deleted_separately(stack: Stack, cloud: Cloud) -> None:
    stack.up('a = Thing("a")\nThing("b", ResourceOptions(deleted_with=a))\n')
    stack.up('Thing("a")\n')
    assert cloud.order("Delete") == ["b"]
    stack.consistent()


def test_deleted_with_is_replaced_and_deleted_together(stack: Stack, cloud: Cloud) -> None:
    stack.up('a = Thing("a", fixed=1)\nThing("b", ResourceOptions(deleted_with=a))\n')
    result = stack.up('a = Thing("a", fixed=2)\nThing("b", ResourceOptions(deleted_with=a))\n')
    assert ops(result) == {"a": Op.REPLACE, "b": Op.REPLACE}
    assert cloud.order("Delete") == ["a"]


# -- import ------------------------------------------------------------------------------------------------


def test_an_existing_resource_is_imported_and_not_replaced_while_imported(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("a", name="one", value=1)\n')
    (stack.folder / "state.json").unlink()
    result = stack.up('Thing("b", ResourceOptions(import_="one"), name="one", value=1)\n')
    assert ops(result) == {"b": Op.IMPORT}
    assert not cloud.order("Create")
    assert stack.record("b").id == "one"
    changed = 'Thing("b", ResourceOptions(import_="one"), name="one", fixed=2)\n'
    preview, result = stack.preview(changed), stack.update(changed)
    assert (preview.ok, result.ok) == (True, False)
    assert "may not be replaced: fixed" in messages(preview)[0]
    assert "may not be replaced: fixed" in messages(result)[0]
    assert not cloud.calls("Create", "Delete")
    assert stack.record("b").id == "one"


def test_an_import_of_a_missing_resource_fails(stack: Stack) -> None:
    result = stack.update('Thing("b", ResourceOptions(import_="one"), name="one")\n')
    assert "cannot import 'one': no resource has this id" in messages(result)[0]
    assert not stack.names()


def test_an_import_with_changes_records_no_replacement_trigger(stack: Stack, cloud: Cloud) -> None:
    """As with the CLI: the next update with another trigger replaces nothing."""
    cloud.objects["one"] = {"urn": "", "inputs": {"name": "one", "value": 1}}
    program = 'Thing("b", ResourceOptions(import_="one", replacement_trigger="{n}"), name="one", value={n})\n'
    stack.up(program.format(n=1))
    assert stack.record("b").replacement_trigger == "1"
    stack.up('Thing("c")\n')
    cloud.objects["one"] = {"urn": "", "inputs": {"name": "one", "value": 1}}
    stack.up(program.format(n=2))
    assert stack.record("b").replacement_trigger is None
    assert ops(stack.up(program.format(n=3))) == {"b": Op.UPDATE}


# -- aliases -----------------------------------------------------------------------------------------------


# The declarations before and after, line by line.
RENAMES: dict[str, tuple[list[str], list[str]]] = {
    "name": (
        ['Thing("old", value=1)'],
        ['Thing("new", ResourceOptions(aliases=[Alias(name="old")]), value=1)'],
    ),
    "type": (
        ['Thing("a", value=1)'],
        [
            'was = ResourceOptions(aliases=[Alias(type_="toy:index:Thing")])',
            'Thing("a", was, kind="toy:index:B")',
        ],
    ),
    "into a component": (
        ['Thing("a", value=1)'],
        [
            'g = Group("g")',
            "was = Alias(parent=pulumi.ROOT_STACK_RESOURCE)",
            'Thing("a", ResourceOptions(parent=g, aliases=[was]), value=1)',
        ],
    ),
    "between components": (
        ['g = Group("g")', 'Thing("a", ResourceOptions(parent=g), value=1)'],
        [
            'g = Group("g")',
            'h = Group("h")',
            'Thing("a", ResourceOptions(parent=h, aliases=[Alias(parent=g)]), value=1)',
        ],
    ),
    "URN": (
        ['Thing("a", value=1)'],
        ['Thing("b", ResourceOptions(aliases=["urn:pulumi:test::toys::toy:index:Thing::a"]), value=1)'],
    ),
    "the component's type": (
        ['g = Group("g")', 'Thing("a", ResourceOptions(parent=g), value=1)'],
        [
            'was = ResourceOptions(aliases=[Alias(type_="my:index:Group")])',
            'g = Group("g", was, kind="my:index:Team")',
            'Thing("a", ResourceOptions(parent=g), value=1)',
        ],
    ),
    "the component's type and name, and a grandchild named after it": (
        [
            'g = Group("g")',
            'h = Group("g-h", ResourceOptions(parent=g), kind="my:index:Inner")',
            'Thing("g-h-a", ResourceOptions(parent=h), value=1)',
        ],
        [
            'was = ResourceOptions(aliases=[Alias(type_="my:index:Group", name="g")])',
            'g = Group("n", was, kind="my:index:Team")',
            'h = Group("n-h", ResourceOptions(parent=g), kind="my:index:Inner")',
            'Thing("n-h-a", ResourceOptions(parent=h), value=1)',
        ],
    ),
    "out of a component that is renamed and has another type": (
        ['g = Group("g")', 'Thing("a", ResourceOptions(parent=g), value=1)'],
        [
            'was = ResourceOptions(aliases=[Alias(type_="my:index:Group", name="g")])',
            'g = Group("n", was, kind="my:index:Team")',
            'Thing("a", ResourceOptions(aliases=[Alias(parent=g)]), value=1)',
        ],
    ),
}


@pytest.mark.parametrize("renamed", RENAMES)
def test_an_alias_renames_a_resource_without_create_or_delete(
    stack: Stack, cloud: Cloud, renamed: str
) -> None:
    before, after = RENAMES[renamed]
    stack.up("\n".join(before))
    known = set(cloud.objects)
    stack.up("\n".join(after))
    assert not cloud.calls("Create", "Delete")
    assert set(cloud.objects) == known
    assert not stack.up().changed


def test_dependents_of_a_renamed_resource_refer_to_the_new_name(stack: Stack, cloud: Cloud) -> None:
    stack.up('a = Thing("a", value=1)\nThing("b", value=a.value)\n')
    stack.up(
        'a = Thing("z", ResourceOptions(aliases=[Alias(name="a")]), value=1)\nThing("b", value=a.value)\n'
    )
    assert not cloud.calls("Create", "Update", "Delete")
    assert stack.record("b").dependencies == (stack.record("z").urn,)
    stack.destroy()
    assert cloud.order("Delete") == ["b", "z"]


def test_aliases_without_a_record_have_no_effect_on_children(stack: Stack, cloud: Cloud) -> None:
    group = 'g = Group("new", ResourceOptions(aliases=[Alias(name="old")]))\n'
    stack.up(group + 'Thing("old-a", ResourceOptions(parent=g), value=1)\n')
    stack.up(group + 'Thing("new-a", ResourceOptions(parent=g), value=1)\n')
    assert cloud.calls("Create", "Delete") == [("Create", "new-a"), ("Delete", "old-a")]


A = 'Thing("a", value=1)'
B_WAS_A = 'b = Thing("b", ResourceOptions(aliases=[Alias(name="a")]), value=1)'
C_WAS_A = 'Thing("c", ResourceOptions(aliases=[Alias(name="a")]), value=1)'


@pytest.mark.parametrize(
    "declarations",
    [
        [A, B_WAS_A],
        [B_WAS_A, 'Thing("a", ResourceOptions(depends_on=[b]), value=1)'],
        [B_WAS_A, C_WAS_A],
    ],
    ids=["the former name is declared", "the former name is declared later", "two aliases"],
)
def test_two_resources_with_the_record_of_one_are_refused(
    stack: Stack, cloud: Cloud, declarations: list[str]
) -> None:
    stack.up(A)
    result = stack.preview("\n".join(declarations))
    assert [item.message for item in result.errors if "alias" in item.message]
    assert not stack.update().ok
    assert len(cloud.objects) == len(stack.names()) == 1


def test_a_resource_that_was_read_is_created_under_its_new_name(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("a", value=1)\n')
    id_ = stack.record("a").id
    stack.up(f'Thing("r", ResourceOptions(id={id_!r}))\nThing("a", value=1)\n')
    program = 'Thing("n", ResourceOptions(aliases=[Alias(name="r")]), value=1)\nThing("a", value=1)\n'
    assert ops(stack.up(program)) == {"n": Op.REPLACE}
    assert cloud.calls("Create", "Delete") == [("Create", "n")]
    assert not stack.up().changed


def test_import_in_place_of_a_resource_that_was_read_replaces_its_record(stack: Stack) -> None:
    other = 'Thing("b", name="other")\n'
    stack.up(other)
    stack.up(other + 'Thing("r", ResourceOptions(id="other"))\n')
    imported = 'Thing("r", ResourceOptions(import_="other"), name="other")\n'
    assert ops(stack.up(other + imported)) == {"r": Op.REPLACE}
    assert [(item.id, item.external) for item in stack.snapshot().resources if item.urn.endswith("::r")] == [
        ("other", False)
    ]


# -- ignoreChanges and replaceOnChanges ----------------------------------------------------------------------

NESTED = """
    Thing("a", ResourceOptions(ignore_changes={paths}), spec={{
        "replicas": {n}, "keep": 1,
        "template": {{"labels": {{"app/name": "{n}"}}, "containers": [{{"image": "x:{n}", "name": "c"}}]}},
    }})
"""


@pytest.mark.parametrize(
    ("paths", "changed"),
    [
        (["spec"], False),
        (["spec.replicas", 'spec.template.labels["app/name"]', "spec.template.containers[0].image"], False),
        (["spec.replicas", "spec.template.labels", "spec.template.containers[*].image"], False),
        (["spec.*"], False),
        (["spec.replicas"], True),
        (["spec.template.containers[1].image"], True),
    ],
    ids=str,
)
def test_changes_under_an_ignored_path_are_ignored_and_no_others(
    stack: Stack, cloud: Cloud, paths: list[str], changed: bool
) -> None:
    stack.up(NESTED.format(n=1, paths=paths))
    stack.up(NESTED.format(n=2, paths=paths))
    assert bool(cloud.calls("Update")) is changed
    inputs = next(iter(cloud.objects.values()))["inputs"]["spec"]
    assert inputs["replicas"] == (2 if paths == ["spec.template.containers[1].image"] else 1)


def test_a_path_that_is_no_longer_ignored_is_compared_again(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("a", value=1)\n')
    stack.up('Thing("a", ResourceOptions(ignore_changes=["value"]), value=2)\n')
    assert stack.record("a").inputs["value"] == 1
    assert ops(stack.up('Thing("a", value=2)\n')) == {"a": Op.UPDATE}


@pytest.mark.parametrize(
    ("paths", "op"),
    [
        (["spec.size"], Op.REPLACE),
        (["spec"], Op.REPLACE),
        (["*"], Op.REPLACE),
        (["rules[*].port"], Op.REPLACE),
        (["spec.other"], Op.UPDATE),
    ],
    ids=str,
)
def test_a_change_under_a_replace_on_changes_path_replaces(
    stack: Stack, cloud: Cloud, paths: list[str], op: Op
) -> None:
    program = (
        'Thing("a", ResourceOptions(replace_on_changes={paths}, delete_before_replace=True), '
        'spec={{"size": {n}}}, rules=[{{"port": {n}}}])\n'
    )
    stack.up(program.format(n=1, paths=paths))
    assert ops(stack.up(program.format(n=2, paths=paths))) == {"a": op}
    stack.consistent()


def test_ignored_changes_do_not_replace(stack: Stack, cloud: Cloud) -> None:
    program = 'Thing("a", ResourceOptions(ignore_changes=["fixed"]), fixed={n})\n'
    stack.up(program.format(n=1))
    assert not stack.up(program.format(n=2)).changed


# -- time-outs -----------------------------------------------------------------------------------------------


def test_custom_timeouts_reach_the_provider_and_the_records(stack: Stack, cloud: Cloud) -> None:
    seen: dict[str, float] = {}

    def watch(method: str) -> None:
        cloud.before[(method, "a")] = lambda request: seen.update({method: request.timeout})

    for method in ("Create", "Update", "Delete"):
        watch(method)
    program = (
        'limits = pulumi.CustomTimeouts(create="1m30s", update="1h", delete="500ms")\n'
        'Thing("a", ResourceOptions(custom_timeouts=limits), value={n})\n'
    )
    stack.up(program.format(n=1))
    stack.up(program.format(n=2))
    assert stack.record("a").custom_timeouts == {"create": 90.0, "update": 3600.0, "delete": 0.5}
    stack.destroy()
    assert seen == {"Create": 90.0, "Update": 3600.0, "Delete": 0.5}


def test_unsupported_option_is_refused_by_name(stack: Stack) -> None:
    result = stack.preview('Thing("a", ResourceOptions(env_var_mappings={"A": "B"}))\n')
    assert messages(result) == ["the option env_var_mappings is not supported by kingdom"]


def test_an_invalid_timeout_is_reported_with_its_line(stack: Stack, cloud: Cloud) -> None:
    result = stack.update(
        'Thing("a", ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="soon")))\n'
    )
    assert not result.ok
    assert "'soon' is not a duration such as 90s or 1h30m" in messages(result)[0]
    assert result.diagnostics[0].source == "program/__main__.py:4"
    assert not cloud.objects


# -- transformations, transforms, components ----------------------------------------------------------------


def test_transformations_change_inputs_and_options_of_children_too(stack: Stack, cloud: Cloud) -> None:
    stack.up("""
        def louder(args):
            if args.type_ != "toy:index:Thing":
                return None
            return pulumi.ResourceTransformationResult(
                {**args.props, "value": args.props["value"] * 2},
                ResourceOptions.merge(args.opts, ResourceOptions(protect=True)),
            )
        g = Group("g", ResourceOptions(transformations=[louder]))
        Thing("a", ResourceOptions(parent=g), value=21)
        Thing("b", value=21)
    """)
    assert (stack.record("a").inputs["value"], stack.record("a").protect) == (42, True)
    assert (stack.record("b").inputs["value"], stack.record("b").protect) == (21, False)


def test_outputs_of_components_and_of_the_stack_are_recorded_and_retained_after_a_failure(
    stack: Stack, cloud: Cloud
) -> None:
    program = """
        g = Group("g")
        a = Thing("a", ResourceOptions(parent=g), value={n})
        g.register_outputs({{"seen": a.value, "hidden": pulumi.Output.secret("hush")}})
        pulumi.export("seen", a.value)
        pulumi.export("whole", {{"list": [a.computed, None, 1.5]}})
    """
    result = stack.up(program.format(n=1))
    assert result.outputs["seen"] == 1
    assert result.outputs["whole"] == {"list": ["a-computed", None, 1.5]}
    group = stack.record("g")
    assert group.outputs["seen"] == 1
    assert "hush" not in stack.file.read_text()
    assert group.outputs["hidden"].element == "hush"

    def refuse(request: Any) -> None:
        raise refused("no")

    cloud.before[("Update", "a")] = refuse
    assert not stack.update(program.format(n=2)).ok
    assert stack.record("g").outputs["seen"] == 1
    root = next(item for item in stack.snapshot().resources if item.type == "pulumi:pulumi:Stack")
    assert root.outputs["seen"] == 1


# -- functions -----------------------------------------------------------------------------------------


def test_functions_are_called_with_known_arguments_and_their_results_are_inputs(
    stack: Stack, cloud: Cloud
) -> None:
    cloud.functions["toy:index:double"] = lambda args: {"twice": args["of"] * 2}
    stack.up("""
        found = pulumi.runtime.invoke("toy:index:double", {"of": 4}).value
        Thing("a", value=found["twice"])
    """)
    assert stack.record("a").inputs["value"] == 8


def test_a_function_with_unknown_arguments_is_not_called_in_a_preview(stack: Stack, cloud: Cloud) -> None:
    cloud.functions["toy:index:double"] = lambda args: {"twice": args["of"] * 2}
    program = """
        a = Thing("a", value=2)
        found = pulumi.runtime.invoke_output("toy:index:double", {"of": a.computed})
        Thing("b", value=found.apply(lambda result: result["twice"]))
    """
    result = stack.preview(program)
    assert result.ok, result.diagnostics
    assert ops(result) == {"a": Op.CREATE, "b": Op.CREATE}
    assert ("Invoke", "toy:index:double") not in cloud.calls()
    stack.up()
    assert stack.record("b").inputs["value"] == "a-computeda-computed"


def test_a_function_that_fails_ends_the_program_with_its_reason(stack: Stack, cloud: Cloud) -> None:
    with pytest.raises(ProgramError) as raised:
        stack.update('pulumi.runtime.invoke("toy:index:nothing", {})\n')
    assert "toy:index:nothing is not a function" in str(raised.value)
    assert "Traceback" not in str(raised.value)
