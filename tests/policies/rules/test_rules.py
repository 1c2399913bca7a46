"""The pack as a whole: which policies it has, in which order, and how each is found."""

from __future__ import annotations

from pathlib import Path

import pytest

import policies.rules
from policies.pack.rule import rules_of
from policies.rules import CONCERNS, RULES, SHAPES, named


def test_every_module_with_policies_is_part_of_the_pack() -> None:
    folder = Path(policies.rules.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == {
        module.__name__.rpartition(".")[2] for module in CONCERNS.values()
    }


def test_names_are_unique_and_lead_to_their_policy() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(named(rule.name) is rule for rule in RULES)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError, match="no-such-policy"):
        named("no-such-policy")


def test_policies_are_grouped_by_their_concern() -> None:
    for concern, module in CONCERNS.items():
        declared = rules_of(module)
        assert declared
        assert {rule.concern for rule in declared} == {concern}
    assert [rule for module in CONCERNS.values() for rule in rules_of(module)] == list(RULES)


def test_each_shape_has_the_default_level_and_settings_of_its_policy() -> None:
    assert [shape.name for shape in SHAPES] == [rule.name for rule in RULES]
    for shape, rule in zip(SHAPES, RULES, strict=True):
        assert shape.level == rule.level.value
        assert shape.properties == rule.settings
