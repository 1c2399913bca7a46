"""Sections within a limit: headings stay, and left-out entries are counted."""

from __future__ import annotations

import pytest

from rehearsal.review.formats.truncation import Section, clipped, fitted, length


def test_sections_that_fit_are_unchanged() -> None:
    assert fitted([Section("a\n", ["1\n", "2\n"]), Section("b\n")], 100) == "a\n1\n2\nb\n"


def test_each_section_gets_an_equal_share_and_the_rest_is_counted() -> None:
    sections = [Section(f"{name}\n", [f"{'x' * 9}\n"] * 100, what="lines") for name in "ab"]
    text = fitted(sections, 500)
    assert length(text) <= 500
    first, _, second = text.partition("b\n")
    assert abs(first.count("x") - second.count("x")) <= 9
    assert text.count("more of 100 lines") == 2


def test_section_that_needs_less_leaves_its_share_to_the_others() -> None:
    small, large = Section("a\n", ["1\n"]), Section("b\n", [f"{'x' * 9}\n"] * 100, what="lines")
    assert fitted([small, large], 300).count("x") > 150


def test_limit_below_the_headings_is_an_error() -> None:
    with pytest.raises(ValueError, match="too few for the headings"):
        fitted([Section("a" * 50, ["x" * 50])], 20)


def test_length_counts_as_github_does() -> None:
    assert length("a😀") == 3
    assert clipped("a😀", 3) == "a😀"
    assert clipped("abcdef", 2) == "ab… (4 characters more)"
