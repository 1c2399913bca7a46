"""Access to values that are secret or not known."""

from __future__ import annotations

from rehearsal.providers.kubernetes.values import given, items, known_text, mapping, missing, opened, scalar
from rehearsal.pulumi.properties import UNKNOWN, Secret


def test_a_secret_is_opened_and_what_is_not_known_is_neither_given_nor_missing() -> None:
    assert opened(Secret(Secret("a"))) == "a"
    assert items(Secret([Secret(1), 2])) == [1, 2]
    assert items(UNKNOWN) == []
    assert mapping(UNKNOWN) == {}
    assert known_text(Secret("a")) == "a"
    assert known_text(UNKNOWN) is None
    assert (given(UNKNOWN), missing(UNKNOWN)) == (False, False)
    assert (given("a"), missing("a")) == (True, False)
    assert (given([]), missing(Secret([]))) == (False, True)


def test_a_list_or_an_object_is_not_a_scalar() -> None:
    assert [scalar(value) for value in (Secret("a"), 1, None, ["a"], {"a": 1}, Secret([]))] == [
        "a", 1, None, None, None, None,
    ]  # fmt: skip
    assert scalar(UNKNOWN) is UNKNOWN
