"""Tests of YAML as the Pulumi CLI reads it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from rehearsal.errors import InputError
from rehearsal.pulumi.yaml_reader import kind_of, read_yaml, scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("off", "off"),
        ("12:30:45", "12:30:45"),
        ("true", True),
        ("TRUE", True),
        ("~", None),
        ("", None),
        ("1e3", 1000.0),
        ("0o17", 15),
        ("017", 15),
        ("0x1F", 31),
        ("0b101", 5),
        ("-7", -7),
        ("0o-5", -5),
        ("0b+101", 5),
        ("0x-5", "0x-5"),
        ("0O-5", "0O-5"),
        ("-0o-5", "-0o-5"),
        ("+.inf", math.inf),
        ("2024-01-02", "2024-01-02 00:00:00 +0000 UTC"),
        ("2024-01-02T03:04:05.60+02:00", "2024-01-02 03:04:05.6 +0200 +0200"),
        ("2024-13-02", "2024-13-02"),
        ("2024-01-02T03:04:05+99:00", "2024-01-02T03:04:05+99:00"),
        ("0o", "0o"),
        ("1e400", "1e400"),
        pytest.param("1" * 5000, "1" * 5000, id="5000 digits"),
    ],
)
def test_plain_scalar_has_the_type_of_pulumi(text: str, value: Any) -> None:
    found = scalar(text)
    assert (found, type(found) is bool) == (value, type(value) is bool)


def test_quoted_scalars_are_strings(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: '1'\nb: \"true\"\nc: !!str 5\nd: !!binary aGVsbG8=\n")
    assert read_yaml(path) == {"a": "1", "b": "true", "c": "5", "d": "hello"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\na: 2\n", "a.yaml:2:1: not valid YAML: the key 'a' is already in line 1"),
        ("a: [1\n", "not valid YAML"),
        ("- a\n", "must hold a mapping, not a list"),
    ],
)
def test_invalid_file_is_an_error_with_its_position(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        read_yaml(path)
    assert reason in str(raised.value)


def test_empty_file_is_an_empty_mapping(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("# nothing\n")
    assert read_yaml(path) == {}


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_yaml(tmp_path / "a.yaml")


def test_kind_of_a_value() -> None:
    assert [kind_of(value) for value in ({"a": 1}, [1], "a", True, 5)] == [
        "a mapping",
        "a list",
        "a text",
        "a truth value",
        "5",
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: {1: x, true: y, 0: z}", {"a": {1: "x", "true": "y", 0: "z"}}),
        ("a: 1\n---\na: 2\n", {"a": 1}),
        ("---\na: 1\n...\n---\n: [not read", {"a": 1}),
        ("a: !own x\nb: !own {c: 1}", {"a": "x", "b": {"c": 1}}),
        ("a: !!float 3\nb: !!int '12'\nc: !!str 12\nd: ! 12", {"a": 3.0, "b": 12, "c": "12", "d": 12}),
        ("a: !!binary aGk=\nb: !!set {c, d}", {"a": "hi", "b": {"c": None, "d": None}}),
        ("a: &x 1\nb: &x 2\nc: *x", {"a": 1, "b": 2, "c": 2}),
        ("a: &x {k: 1, z: 0}\nb: {<<: *x, k: 2}\nc: {'<<': *x}", None),
    ],
)
def test_document_is_read_as_by_go(text: str, value: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    merged = {"a": {"k": 1, "z": 0}, "b": {"k": 2, "z": 0}, "c": {"<<": {"k": 1, "z": 0}}}
    assert read_yaml(file) == (value or merged)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: !!int abc", ":1:4: not valid YAML: 'abc' cannot be read as !!int"),
        ("a: !!bool yes", ":1:4: not valid YAML: 'yes' cannot be read as !!bool"),
        ("a: !!binary '?'", ":1:4: not valid YAML: the value of !!binary is not base64"),
        ("a: &x [1, *x]", ":1:4: not valid YAML: the value of the anchor contains itself"),
        ("a: &x {<<: *x, k: 1}", ":1:4: not valid YAML: the value of the anchor contains itself"),
        ("a: &x {<<: [*x]}", ":1:4: not valid YAML: the value of the anchor contains itself"),
        ("a: " + "[" * 50_000, ":1:203: not valid YAML: it is nested more than 200 levels deep"),
        (
            "".join(
                f"l{at}: &l{at} [{', '.join([f'*l{at - 1}' if at else 'x'] * 10)}]\n" for at in range(10)
            ),
            ":1:1: not valid YAML: the document contains excessive aliasing",
        ),
        ("{[1]: a}", ":1:2: not valid YAML: a key must be a scalar"),
        ("a: &x {}\nb:\n  <<: *x\n  <<: *x", ":4:3: not valid YAML: the key '<<' is already in line 3"),
    ],
)
def test_refused_document_is_an_error_with_its_position(text: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_yaml(file)
    assert str(caught.value) == f"{file}{problem}"
