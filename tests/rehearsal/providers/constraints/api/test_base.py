"""Access to values that may be unknown."""

from __future__ import annotations

from rehearsal.providers.constraints.api.base import at, given, items, missing, number, one_of, text, texts
from rehearsal.pulumi.properties import UNKNOWN


def test_unknown_value_is_neither_given_nor_missing() -> None:
    assert (given(UNKNOWN), missing(UNKNOWN)) == (False, False)
    assert (given(0), missing(0)) == (False, True)
    assert at({"a": UNKNOWN}, "a", "b") is UNKNOWN
    assert at({"a": {"b": 1}}, "a", "b") == 1
    assert at({"a": 1}, "a", "b") is None
    assert items([UNKNOWN, {"a": 1}]) == [(1, {"a": 1})]
    assert texts([UNKNOWN, "a"]) == [(1, "a")]
    assert (text(UNKNOWN), number(UNKNOWN), number("1.5"), number(True)) == (None, None, 1.5, None)


def test_exactly_one_of_several_properties() -> None:
    check = one_of("a", "b")
    assert [path for path, _ in check({})] == [("a",)]
    assert [path for path, _ in check({"a": 1, "b": UNKNOWN})] == [("a",), ("b",)]
    assert not list(check({"b": UNKNOWN}))
