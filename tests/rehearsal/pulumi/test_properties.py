"""Tests of property values: the wire format, paths and comparison."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.pulumi.properties import (
    UNKNOWN,
    Change,
    ResourceReference,
    Secret,
    contains_secret,
    contains_unknown,
    decode,
    differences,
    encode,
    equal,
    format_path,
    parse_path,
    unwrap,
    with_new_secrets_of,
    with_secrets_of,
    without_references,
    without_unknowns,
)

REFERENCE = ResourceReference("urn:pulumi:dev::p::a:b:C::x", "the-id")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1.5,
        "text",
        [1, [2, {"a": None}]],
        {"a": Secret({"b": [Secret("c"), UNKNOWN]})},
        UNKNOWN,
        REFERENCE,
    ],
)
def test_values_survive_the_wire_format(value: Any) -> None:
    assert decode(encode({"value": value})) == {"value": value}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.b", ("a", "b")),
        ("a[0].b", ("a", 0, "b")),
        ("a[*]", ("a", "*")),
        ('a["x.y"].b', ("a", "x.y", "b")),
        ("*", ("*",)),
        ('["x\\"y"]', ('x"y',)),
        ("a[-1]", ("a", -1)),
    ],
)
def test_property_path_is_parsed(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_path(text) == path
    assert parse_path(format_path(path)) == path


@pytest.mark.parametrize(("text", "path"), [("a..b", ("a", "b")), ("a.[0]", ("a", 0)), ("", ())])
def test_redundant_separators_of_a_path_are_ignored(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize("text", ["a[", "a[x]", 'a["b', ".a", "a.", 'a["b"x]', "a[]"])
def test_malformed_path_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_path(text)


def test_differences_are_found_in_objects_and_lists() -> None:
    old = {"same": 1, "gone": 2, "list": [1, 2], "object": {"a": 1}}
    new = {"same": 1, "new": 3, "list": [1, 5, 6], "object": {"a": 2}}
    assert differences(old, new) == {
        ("gone",): Change.DELETE,
        ("new",): Change.ADD,
        ("list", 1): Change.UPDATE,
        ("list", 2): Change.ADD,
        ("object", "a"): Change.UPDATE,
    }


def test_secretness_is_not_a_difference_but_an_unknown_is() -> None:
    assert differences({"a": Secret(1)}, {"a": 1}) == {}
    assert differences({"a": 1}, {"a": UNKNOWN}) == {("a",): Change.UPDATE}
    assert differences({"a": None}, {}) == {}


def test_large_numbers_have_the_digits_that_go_writes() -> None:
    numbers = {"a": 2.0**60, "b": -(2.0**60), "c": 3.0, "d": 1e21, "e": 0.5}
    expected = {"a": 1152921504606847000, "b": -1152921504606847000, "c": 3, "d": 1e21, "e": 0.5}
    assert {key: str(value) for key, value in decode(encode(numbers)).items()} == {
        key: str(value) for key, value in expected.items()
    }


def test_numbers_equal_but_not_booleans() -> None:
    assert equal({"a": 1}, {"a": 1.0})
    assert not equal({"a": 1}, {"a": True})


@pytest.mark.parametrize(
    ("model", "before", "expected"),
    [
        ({"a": Secret(1)}, {"a": 1}, {"a": Secret(1), "l": [1, 2]}),
        ({"a": Secret(1)}, {"a": Secret(1)}, {"a": 1, "l": [1, 2]}),
        ({"l": [Secret(1)]}, {"l": [Secret(1), 2]}, {"a": 1, "l": [1, 2]}),
        ({"l": [Secret(1)]}, {"l": [1, 2]}, {"a": 1, "l": Secret([1, 2])}),
        ({"l": [1, Secret(2)]}, {}, {"a": 1, "l": [1, Secret(2)]}),
    ],
)
def test_only_what_became_secret_is_marked(
    model: dict[str, Any], before: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert with_new_secrets_of({"a": 1, "l": [1, 2]}, model, before) == expected


def test_secrets_are_taken_from_a_model() -> None:
    assert with_secrets_of({"a": {"b": 1}, "c": 2}, {"a": {"b": Secret(0)}}) == {
        "a": {"b": Secret(1)},
        "c": 2,
    }


def test_nested_secrets_and_unknowns_are_found() -> None:
    assert contains_secret([{"a": Secret(1)}])
    assert contains_unknown({"a": [Secret(UNKNOWN)]})
    assert unwrap({"a": Secret([Secret(1)])}) == {"a": [1]}


def test_references_become_ids_or_urns() -> None:
    component = ResourceReference("urn:pulumi:dev::p::a:b:D::y", None)
    assert without_references({"a": [REFERENCE, Secret(component)]}) == {
        "a": ["the-id", Secret(component.urn)]
    }


def test_unknowns_are_left_out_wherever_they_are() -> None:
    value = {"a": UNKNOWN, "b": [1, UNKNOWN, {"c": UNKNOWN}], "d": Secret(UNKNOWN), "e": Secret([UNKNOWN, 2])}
    assert without_unknowns(value) == {"b": [1, {}], "e": Secret([2])}
