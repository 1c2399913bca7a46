"""Tests of diffs: ignored changes, and the interpretation of a provider's response."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.diff import at, interpret, property_changes, reset_ignored, reset_ignored_of_component
from rehearsal.pulumi.properties import Change, Properties, Secret

SOME = provider_pb2.DiffResponse.DIFF_SOME
UNKNOWN = provider_pb2.DiffResponse.DIFF_UNKNOWN


@pytest.mark.parametrize(
    ("new", "old", "path", "expected", "failed"),
    [
        ({"a": 2}, {"a": 1}, "a", {"a": 1}, False),
        ({"a": 2}, {}, "a", {}, False),
        ({}, {"a": 1}, "a", {"a": 1}, False),
        ({"a": {"b": 2, "c": 3}}, {"a": {"b": 1}}, "a.b", {"a": {"b": 1, "c": 3}}, False),
        ({"a": [2, 3]}, {"a": [1]}, "a[0]", {"a": [1, 3]}, False),
        ({"a": [2, 3]}, {"a": [1]}, "a[1]", {"a": [2, 3]}, True),
        ({"a": [2, 3]}, {"a": [1]}, "a[*]", {"a": [1, 3]}, True),
        ({"a": {"x": 2, "y": 3}}, {"a": {"x": 1}}, "a.*", {"a": {"x": 1}}, False),
        ({"a": [{"n": 2}, {"n": 3}]}, {"a": [{"n": 1}]}, "a[*].n", {"a": [{"n": 1}, {"n": 3}]}, True),
        ({"a": 2}, {"a": Secret(1)}, "a", {"a": Secret(1)}, False),
        ({"a": {"b": 2}}, {"a": Secret({"b": 1})}, "a.b", {"a": {"b": Secret(1)}}, False),
        ({"a": 2}, {"a": 1}, "a[", {"a": 2}, False),
        ({"a": {"x": {"n": 2}}}, {"a": {"x": {"n": 1}}}, "a.*.n", {"a": {"x": {"n": 1}}}, False),
        ({"a": {}}, {"a": {"x": {"n": 1}}}, "a.*.n", {"a": {}}, True),
        ({"a": {"b": {"c": 2}}}, {"a": 1}, "a.b.c", {"a": {"b": {"c": 2}}}, True),
        ({"a": 2}, {"a": {"b": {"c": 1}}}, "a.b.c", {"a": 2}, True),
        ({"a": 2}, {"a": 1}, "a.b.c", {"a": 2}, False),
        ({"a": 2}, {"a": {"b": 1}}, "a.b", {"a": 2}, True),
        ({"a": {"b": 2}}, {"a": 1}, "a.b", {"a": {}}, False),
        ({"a": 2}, {"a": 1}, "a[0]", {"a": 2}, False),
        ({"a": 2}, {"a": [1]}, "a[0]", {"a": 2}, True),
        ({"a": [2]}, {"a": 1}, "a[0]", {"a": [2]}, True),
        ({"a": [2]}, {"a": [1]}, "a[5]", {"a": [2]}, False),
        ({"a": [2]}, {"a": [1]}, "a[5].n", {"a": [2]}, True),
        ({"a": [3]}, {"a": [1, 2]}, "a[1]", {"a": [3]}, True),
        ({"a": [{"n": 2}]}, {"a": [{"n": 1}]}, "a[0].n", {"a": [{"n": 1}]}, False),
        ({"a": {"b": {"c": 2}}}, {"a": {}}, "a.b.c", {"a": {"b": {}}}, False),
        ({"a": {}}, {"a": {"b": {"c": 1}}}, "a.b.c", {"a": {}}, True),
        ({"a": {}}, {"a": {}}, "a.b.c", {"a": {}}, False),
        ({"a": {"x": 2}}, {"a": 1}, "a.*", {"a": {"x": 2}}, False),
        ({"a": [2]}, {"a": 1}, "a[*]", {"a": [2]}, False),
        ({"a": 2}, {"a": [1]}, "a[*]", {"a": 2}, True),
        ({"a": 2}, {"a": {"n": 1}}, "a.*.n", {"a": 2}, True),
        ({"a": {"b": Secret(2)}}, {"a": Secret({"b": 1})}, "a.b", {"a": {"b": Secret(1)}}, False),
        ({"a": {"b": 2}}, {"a": Secret({"b": Secret(1)})}, "a.b", {"a": {"b": Secret(1)}}, False),
        ({"a": Secret({"b": 2})}, {"a": Secret({"b": 1})}, "a.b", {"a": Secret({"b": 1})}, False),
        ({"a": Secret({"b": 2})}, {"a": {"b": 1}}, "a.b", {"a": Secret({"b": 1})}, False),
    ],
)
def test_ignored_path_has_its_old_value(
    new: dict[str, Any], old: dict[str, Any], path: str, expected: dict[str, Any], failed: bool
) -> None:
    before = str(new)
    assert reset_ignored(new, old, [path]) == (expected, [path] if failed else [])
    assert str(new) == before


def test_nested_ignored_paths_of_a_component_have_their_old_value_in_the_record() -> None:
    new, old = (
        {"a": 2, "m": {"x": 2, "y": 2}, "l": [{"q": Secret(2)}]},
        {"a": 1, "m": {"x": 1}, "l": [{"q": 1}]},
    )
    before = str(new)
    compared, recorded, failed = reset_ignored_of_component(new, old, ["a", "m.x", "l[*].q", "l[3]"])
    assert compared == {"a": 1, "m": {"x": 1, "y": 2}, "l": [{"q": 1}]}
    assert recorded == {"a": 2, "m": {"x": 1, "y": 2}, "l": [{"q": 1}]}
    assert failed == []
    assert str(new) == before


def test_equal_inputs_have_no_diff() -> None:
    response = provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)
    assert not interpret(response, {"a": 1}, {"a": 2})


def test_engine_compares_inputs_for_an_unknown_diff() -> None:
    response = provider_pb2.DiffResponse(changes=UNKNOWN)
    assert not interpret(response, {"a": 1}, {"a": 1})
    (change,) = interpret(response, {"a": 1}, {"a": 2}).changes
    assert (change.path, change.kind, change.old, change.new) == (("a",), Change.UPDATE, 1, 2)


@pytest.mark.parametrize(("paths", "replace"), [(["*"], True), (["#initerror"], True), (["a"], False)])
def test_unready_resource_is_replaced_if_a_path_covers_it(paths: list[str], replace: bool) -> None:
    response = provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)
    assert interpret(response, {}, {}, replace_on_changes=paths, unready=True).replace is replace
    assert not interpret(response, {}, {}, replace_on_changes=paths)


def test_replaced_property_forces_a_replacement() -> None:
    diff = interpret(provider_pb2.DiffResponse(changes=SOME, replaces=["a"]), {"a": 1}, {"a": 2})
    assert diff.replace
    assert not diff.delete_before_replace


@pytest.mark.parametrize(
    ("pattern", "replaced"), [("a", True), ("*", True), ("a.b", False), ("c", False), ("a.c[*]", False)]
)
def test_replace_on_changes_matches_prefixes_of_changed_paths(pattern: str, replaced: bool) -> None:
    response = provider_pb2.DiffResponse(changes=SOME, diffs=["a"])
    diff = interpret(response, {"a": 1, "c": 0}, {"a": 2, "c": 0}, replace_on_changes=[pattern])
    assert diff.replace is replaced


@pytest.mark.parametrize("pattern", ["a", "*"])
def test_replace_on_changes_replaces_nothing_if_the_provider_names_no_property(pattern: str) -> None:
    response = provider_pb2.DiffResponse(changes=SOME)
    diff = interpret(response, {"a": 1}, {"a": 2}, replace_on_changes=[pattern])
    assert diff.changes
    assert not diff.replace


def test_paths_of_replace_on_changes_are_parsed_only_if_the_resource_differs() -> None:
    same = provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)
    assert not interpret(same, {}, {}, replace_on_changes=["a["])
    with pytest.raises(ValueError, match="is not a property path"):
        interpret(provider_pb2.DiffResponse(changes=SOME), {}, {"a": 1}, replace_on_changes=["a["])


def test_delete_before_replace_needs_a_replacement() -> None:
    response = provider_pb2.DiffResponse(changes=SOME, deleteBeforeReplace=True, diffs=["a"])
    assert not interpret(response, {"a": 1}, {"a": 2}).delete_before_replace
    assert interpret(response, {"a": 1}, {"a": 2}, replace_on_changes=["a"]).delete_before_replace


def test_element_of_a_secret_is_secret() -> None:
    assert at({"a": Secret({"b": [1, 2]})}, ("a", "b", 1)) == Secret(2)
    assert at({"a": 1}, ("b",)) is None
    (change,) = property_changes({"a": Secret({"b": 1})}, {"a": Secret({"b": 2})})
    assert change.new == Secret(2) or change.new == Secret({"b": 2})


KIND = provider_pb2.PropertyDiff


def detailed(replaces: list[str], **kinds: Any) -> provider_pb2.DiffResponse:
    details = {path.replace("_", "."): KIND(kind=kind) for path, kind in kinds.items()}
    return provider_pb2.DiffResponse(changes=SOME, replaces=replaces, detailedDiff=details)


@pytest.mark.parametrize(
    ("response", "paths"),
    [
        (detailed(["a"], a_b=KIND.UPDATE_REPLACE), {("a", "b"): True}),
        (detailed(["a"], a_b=KIND.UPDATE), {("a", "b"): False, ("a",): True}),
        (detailed(["a"], c=KIND.UPDATE_REPLACE), {("c",): True, ("a",): True}),
        (detailed(["a"], a=KIND.UPDATE), {("a",): True}),
        (detailed([], a=KIND.UPDATE), {("a",): False}),
        (detailed([], a=KIND.ADD_REPLACE), {("a",): True}),
    ],
)
def test_replaced_properties_are_added_to_the_detailed_ones(
    response: provider_pb2.DiffResponse, paths: dict[tuple[str, ...], bool]
) -> None:
    old, new = {"a": {"b": 1}, "c": 1}, {"a": {"b": 2}, "c": 2}
    diff = interpret(response, old, new)
    assert {change.path: change.replaces for change in diff.changes} == paths
    assert diff.replace is any(paths.values())


def test_unknown_diff_with_replaced_properties_is_a_replacement() -> None:
    response = provider_pb2.DiffResponse(changes=UNKNOWN, replaces=["a"])
    assert interpret(response, {"a": 1}, {"a": 1}).replace


def test_value_below_a_scalar_or_beyond_a_list_is_absent() -> None:
    value = {"a": 1, "b": [1], "c": {"d": 2}}
    assert [at(value, path) for path in (("a", "x"), ("b", 1), ("b", "x"), ("b", 0), ("c", "d"))] == [
        None, None, None, 1, 2,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ({"a": Secret("new")}, {"a": Secret("old")}),
        ({"a": Secret({"b": "new"})}, {"a": Secret("old")}),
        ({"a": {"b": Secret("new")}}, {"a": "old"}),
    ],
)
def test_reset_value_is_secret_where_the_declared_one_is(new: Properties, expected: Properties) -> None:
    assert reset_ignored(new, {"a": "old"}, ["a"]) == (expected, [])


def test_provider_may_report_a_change_of_equal_inputs_without_a_path() -> None:
    diff = interpret(provider_pb2.DiffResponse(changes=SOME, diffs=["a"]), {"a": Secret(1)}, {"a": 1})
    assert diff
    assert not diff.replace


def test_provider_may_report_a_change_of_equal_inputs() -> None:
    diff = interpret(detailed([], a=KIND.UPDATE), {"a": 1}, {"a": 1})
    assert [(change.path, change.kind) for change in diff.changes] == [(("a",), Change.UPDATE)]
    assert interpret(detailed(["a"]), {"a": 1}, {"a": 1}).replace
