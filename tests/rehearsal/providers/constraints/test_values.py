"""Rules about one value, and their messages."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.constraints.values import listed, value_faults


@pytest.mark.parametrize(
    ("facts", "value", "reason"),
    [
        ({"enum": ["A", "B"]}, "C", '\'C\' is not one of "A", "B"'),
        ({"min": 1, "max": 5}, 6, "6 is out of range: 1 to 5"),
        ({"min": 1}, "0", "0 is out of range: at least 1"),
        ({"max": 5}, 6, "6 is out of range: at most 5"),
        ({"exclusive_min": 0}, 0, "0 is out of range: more than 0"),
        ({"ranges": [[1, 1], [30, 60]]}, 20, "20 is out of range: 1, 30 to 60"),
        ({"min_length": 4, "max_length": 6}, "abc", "'abc' has 3 characters: 4 to 6 are allowed"),
        ({"patterns": ["^[a-z]+$"]}, "A", "'A' does not match ^[a-z]+$"),
        ({"patterns": ["^[a-z]+$"]}, "a\n", "'a\\n' does not match ^[a-z]+$"),
        ({"patterns": ["^\\d+$"]}, "\u0663", "'\u0663' does not match ^\\d+$"),
        ({"format": "cidr"}, "x", "'x' is not an address range, such as \"10.0.0.0/20\""),
    ],
)
def test_a_value_that_breaks_a_rule_has_a_reason(facts: dict[str, Any], value: Any, reason: str) -> None:
    assert [found for found, _ in value_faults(facts, value)] == [reason]


def test_only_a_dollar_sign_outside_classes_and_escapes_is_the_end_of_the_text() -> None:
    assert not list(value_faults({"patterns": [r"^[$a]\$$", r"^(?!a\$$)"]}, "$$"))
    assert list(value_faults({"patterns": [r"^[$a]\$$"]}, "$$\n"))


def test_case_is_ignored_where_the_provider_ignores_it() -> None:
    assert not list(value_faults({"enum": ["A"]}, "a", ignore_case=True))
    assert list(value_faults({"enum": ["A"]}, "a"))


def test_a_long_enumeration_is_cut() -> None:
    assert listed([str(number) for number in range(20)]).endswith('"11" and 8 more')
