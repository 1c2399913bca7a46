"""Facts of provider resources: validators' descriptions become data, and the rest is listed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tools import provider_facts
from tools.provider_facts import FOLDER, PACKAGES, add_rule, attribute, main, resolve


@pytest.mark.parametrize(
    ("path", "reference", "absolute"),
    [
        ("a.b", "c.0.d", "c.d"),
        ("a.b", "c", "c"),
        ("a.b", "<.c", "a.c"),
        ("a.b.c", "<.<.d.e", "a.d.e"),
        ("a", "<.c", "c"),
    ],
)
def test_reference_is_absolute_or_relative_to_the_attribute(path: str, reference: str, absolute: str) -> None:
    assert resolve(path, reference) == absolute


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        ("value must be a 32-character hexadecimal string", {"patterns": ["^[0-9a-f]{32}$"]}),
        ("string value must be defined as a valid cidr.", {"format": "cidr"}),
        ('Value must be "true"', {"enum": ["true"]}),
        ("goal must be between 0 and 1", {"exclusive_min": 0, "max": 0.9999}),
        ('x. Possible values are: ["A" "B_2"]', {"enum": ["A", "B_2"]}),
        ("string length must be at least 3", {"min_length": 3}),
        ("string length must be at most 30", {"max_length": 30}),
        ("list must contain at least 1 elements", {"min_items": 1}),
        ("set must contain at most 5 elements", {"max_items": 5}),
        ('can only be set if "kind" is "x"', {"only_if": ["kind", "x"]}),
        ('can only be set if "<.b" is one of: "x", <null>', {"only_where": [["a.b", ["x", None]]]}),
        ('can not be set if "kind" is one of: "x"', {"not_where": [["kind", ["x"]]]}),
        ('has to be set if "kind" is one of: "x", "y"', {"required_where": [["kind", ["x", "y"]]]}),
        (
            'Ensure that if an attribute is set, these are not set: "[<.b,c]"',
            {"conflicts_with": ["a.b", "c"]},
        ),
        (
            'Ensure that one and only one attribute from this collection is set: "[<.b]"',
            {"exactly_one_of": ["a.x", "a.b"]},
        ),
        ("must be a list with priority in descending order", {"format": "descending-priority"}),
        ("must be a string containing a sequence of decimal numbers, each", {"format": "go-duration"}),
        (
            "Value must satisfy all of the validations: string length must be at most 9",
            {"max_length": 9},
        ),
    ],
)
def test_known_wording_becomes_data(rule: str, facts: dict[str, Any]) -> None:
    found: dict[str, Any] = {}
    assert add_rule(found, "a.x", rule)
    assert found == facts


@pytest.mark.parametrize(
    "rule", ["must be nice", "element value must satisfy all validations: string length must be at most 9"]
)
def test_unknown_wording_adds_nothing(rule: str) -> None:
    found: dict[str, Any] = {}
    assert not add_rule(found, "a", rule)
    assert found == {}


def facts_of(measured: dict[str, Any], path: str = "a.x") -> dict[str, Any]:
    return attribute(path, {"type": "string"} | measured, Counter())


def test_measured_facts_are_copied_and_other_keys_omitted() -> None:
    measured = {"required": True, "max_length": 3, "description": "long", "deprecated": "use b"}
    assert facts_of(measured) == {"type": "string", "required": True, "max_length": 3, "deprecated": True}


@pytest.mark.parametrize(
    ("flags", "read_only"),
    [
        ({"computed": True}, True),
        ({"computed": True, "optional": True}, False),
        ({"computed": True, "required": True}, False),
        ({}, False),
    ],
)
def test_computed_attribute_that_cannot_be_set_is_read_only(flags: dict[str, bool], read_only: bool) -> None:
    assert facts_of(flags).get("read_only", False) is read_only


def test_collections_that_count_include_the_attribute_itself_once() -> None:
    found = facts_of(
        {"exactly_one_of": ["<.y", "<.x"], "conflicts_with": ["<.y"], "at_least_one_of": ["b.0.c"]}
    )
    assert found["exactly_one_of"] == ["a.x", "a.y"]
    assert found["conflicts_with"] == ["a.y"]
    assert found["at_least_one_of"] == ["a.x", "b.c"]


@pytest.mark.parametrize(
    ("type_", "default", "expected"),
    [
        ("string", "plain", "plain"),
        ("string", 'value defaults to "quoted"', "quoted"),
        ("bool", "value defaults to true", True),
        ("Bool", "value defaults to false", False),
        ("int64", "value defaults to 30", 30),
        ("number", "value defaults to 0.5", 0.5),
        ("int", 0, 0),
    ],
)
def test_default_has_the_type_of_the_attribute(type_: str, default: Any, expected: Any) -> None:
    found = facts_of({"type": type_, "default": default})["default"]
    assert (found, type(found)) == (expected, type(expected))


def test_described_default_of_another_type_is_left_out() -> None:
    assert "default" not in facts_of({"type": "list", "default": "value defaults to []"})


def test_patterns_are_unescaped_and_rules_that_are_not_understood_are_counted() -> None:
    left: Counter[str] = Counter()
    measured = {
        "type": "string",
        "patterns": [r"^\\d+$"],
        "rules": ["must be nice", "string length must be at most 9"],
        "rejects": ["must be nice"],
        "element_rules": {"enum": ["a"], "rejects": ["string length must be at least 1", "odd"]},
    }
    found = attribute("a", measured, left)
    assert found["patterns"] == [r"^\d+$"]
    assert found["max_length"] == 9
    assert found["elements"] == {"enum": ["a"], "min_length": 1}
    assert left == {"must be nice": 2, "odd": 1}


def test_file_has_a_header_and_a_line_for_each_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(provider_facts, "FOLDER", tmp_path)
    measured = tmp_path / "measured.json"
    attributes = {
        "google_z": {"attributes": {"a": {"type": "string", "rules": ["must be nice"]}}},
        "google_container_cluster": {"attributes": {"name": {"type": "string"}}},
    }
    measured.write_text(json.dumps({"source": "terraform-provider-google 1.2.3", "resources": attributes}))
    assert main([str(measured)]) == 0
    header, cluster, z = (tmp_path / "gcp.jsonl").read_text().splitlines()
    assert json.loads(header)["source"] == "terraform-provider-google 1.2.3"
    # The maximum length is an added rule, which the measurement does not find.
    assert cluster == 'google_container_cluster {"name":{"max_length":40,"type":"string"}}'
    assert z == 'google_z {"a":{"type":"string"}}'
    assert capsys.readouterr().out.splitlines() == [
        "wrote gcp.jsonl: 2 types; not turned into data:",
        "    1 must be nice",
    ]


def test_types_of_an_earlier_measurement_are_retained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(provider_facts, "FOLDER", tmp_path)
    measured = tmp_path / "measured.json"
    for name, kind in (("google_m", "string"), ("google_a", "string"), ("google_m", "bool")):
        resources = {name: {"attributes": {"a": {"type": kind}}}}
        measured.write_text(json.dumps({"source": "terraform-provider-google", "resources": resources}))
        assert main([str(measured)]) == 0
    _, *lines = (tmp_path / "gcp.jsonl").read_text().splitlines()
    assert lines == ['google_a {"a":{"type":"string"}}', 'google_m {"a":{"type":"bool"}}']
    assert "gcp.jsonl: 1 types that were not measured retain their facts" in capsys.readouterr().out


@pytest.mark.parametrize("package", PACKAGES.values())
def test_committed_files_have_the_form_that_is_written(package: str) -> None:
    header, *lines = (FOLDER / f"{package}.jsonl").read_text().splitlines()
    assert set(json.loads(header)) == {"source", "measured"}
    names = [line.partition(" ")[0] for line in lines]
    assert names == sorted(set(names))
    for line in lines:
        facts = json.loads(line.partition(" ")[2])
        assert all("type" in found for found in facts.values())
