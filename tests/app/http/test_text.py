"""Names and addresses that clients send."""

from __future__ import annotations

import re

import pytest

from app.http.text import END, address, address_key, name


@pytest.mark.parametrize(
    ("text", "expected"),
    [(" Ada ", "Ada"), ("Zoe\u0308", "Zo\u00eb"), ("Ada Lovelace", "Ada Lovelace"), ("名前 🙂", "名前 🙂")],
)
def test_name_is_normalized(text: str, expected: str) -> None:
    assert name(text) == expected


INVISIBLE = ("\u3164", "\u2800", "a\u115f", "a\uffa0", "a\u034f", "a\U0001d159", "a\U000e0041")


@pytest.mark.parametrize(
    "text",
    ["", "  ", "a\u0000", "a\tb", "a\u200bb", "\u202eabc", "a\ufeff", "a\ud800", "a\u0378", *INVISIBLE],
)
def test_invisible_characters_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Expected a name"):
        name(text)


def test_addresses_are_compared_without_case_and_by_ascii_domain() -> None:
    assert address_key("Ada@EXÄMPLE.de") == address_key("ada@xn--exmple-cua.de")
    assert address_key("ada@example.com.") == address_key("ada@example.com")
    assert address_key("a.b@example.com") != address_key("ab@example.com")
    assert address_key("ada@" + "x" * 80 + ".com") == "ada@" + "x" * 80 + ".com"


def test_address_is_stored_as_it_was_sent() -> None:
    assert address("Ada@Example.com") == "Ada@Example.com"
    with pytest.raises(ValueError, match="Expected an address"):
        address("ada\u200b@example.com")


def test_end_of_a_pattern_excludes_a_line_break() -> None:
    assert re.search("^a" + END, "a")
    assert not re.search("^a" + END, "a\n")
