"""Names and addresses that clients send."""

from __future__ import annotations

import re

import pytest

from app.http.text import END, address, address_key, clean_prose, name, prose


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" Ada ", "Ada"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("Ada Lovelace", "Ada Lovelace"),
        ("名前 🙂", "名前 🙂"),
        ("Ada ❤\ufe0f", "Ada ❤\ufe0f"),
        ("ดึ่ม", "ดึ่ม"),
        ("Nguyễn Thị", "Nguyễn Thị"),
    ],
)
def test_name_is_normalized(text: str, expected: str) -> None:
    assert name(text) == expected


INVISIBLE = (
    *("\u3164", "\u2800", "a\u115f", "a\uffa0", "a\u034f", "a\U0001d159", "a\U000e0041"),
    *(
        "\ufe0f",
        "a\ufe0f",
        "a\ufe00",
        "a\u180b",
        "a\u180f",
        "葛\U000e0100",
        "\u0301",
        "\u20dd\u20dd",
        "a\ue000",
    ),
)


@pytest.mark.parametrize(
    "text",
    ["", "  ", "a\u0000", "a\tb", "a\u200bb", "\u202eabc", "a\ufeff", "a\ud800", "a\u0378", *INVISIBLE],
)
def test_invisible_characters_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Expected a name"):
        name(text)


def test_stacks_of_marks_are_refused() -> None:
    assert name("a" + "\u0316" * 4)
    with pytest.raises(ValueError, match="marks"):
        name("Z" + "\u0316" * 5)


@pytest.mark.parametrize(
    "value", ["one\ntwo\tthree", "\u05d0\u200f \u05d1", "👩\u200d🚀 ❤\ufe0f", "\u0915\u094d\u200d\u0937"]
)
def test_prose_has_lines_and_any_language(value: str) -> None:
    assert prose(value) == clean_prose(value) == value


@pytest.mark.parametrize(
    "hidden", ["\u0000", "\u001b", "\u0085", "\u202e", "\u2066", "\u2069", "\u2028", "\U000e0041"]
)
def test_prose_cannot_change_the_text_around_it(hidden: str) -> None:
    with pytest.raises(ValueError, match="Expected a text"):
        prose(f"a{hidden}b")
    assert clean_prose(f"a{hidden}b") == "ab"


def test_addresses_are_compared_without_case_and_by_ascii_domain() -> None:
    assert address_key("Ada@EXÄMPLE.de") == address_key("ada@xn--exmple-cua.de")
    assert address_key("ada@example.com.") == address_key("ada@example.com")
    assert address_key("a.b@example.com") != address_key("ab@example.com")
    assert address_key("ada@" + "x" * 80 + ".com") == "ada@" + "x" * 80 + ".com"


def test_address_is_stored_as_it_was_sent() -> None:
    assert address("Ada@Example.com") == "Ada@Example.com"
    for hidden in ("\u200b", "\ufe0f", "\ufe00"):
        with pytest.raises(ValueError, match="Expected an address"):
            address(f"ada{hidden}@example.com")


def test_end_of_a_pattern_excludes_a_line_break() -> None:
    assert re.search("^a" + END, "a")
    assert not re.search("^a" + END, "a\n")
