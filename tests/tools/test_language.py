"""Rules of the language check on small texts."""

from __future__ import annotations

import pytest

from tools.language import (
    Text,
    hash_comments,
    markdown_texts,
    name_findings,
    prose_findings,
    python_names,
    python_texts,
    slash_comments,
)


def _prose(content: str) -> list[str]:
    return [finding.found for finding in prose_findings("x.py", [Text(1, content)])]


@pytest.mark.parametrize(
    "content",
    [
        "Whoever comes late waits.",
        "The pod is told to stop.",
        "Redis answers again.",
        "It hands in the job.",
        "What is asked in vain is a 503.",
        "Read the page. Where it fails, it is read again.",
        "A name is no quantity.",
        "The server is gone.",
        "Requests refused for want of room.",
    ],
)
def test_excluded_wording_is_found(content: str) -> None:
    assert _prose(content)


@pytest.mark.parametrize(
    "content",
    [
        "Return the cached response, or None if Redis is unavailable.",
        "What does the second run change?",
        "The pod is no longer ready.",
        "The `answer` key and ``told`` are code.",
        "See [what is real](page.md#what-is-real).",
        "The list is no longer than ten items.",
    ],
)
def test_standard_wording_passes(content: str) -> None:
    assert not _prose(content)


def test_findings_name_the_line_of_the_occurrence() -> None:
    (finding,) = prose_findings("a.md", [Text(10, "One line.\nTwo lines, mended.")])
    assert (finding.path, finding.line, finding.instead) == ("a.md", 11, "fix, remediate")


@pytest.mark.parametrize(
    "name",
    [
        "wish",
        "most_attempts",
        "_LONGEST_LINE",
        "KeptAnswer",
        "judge",
        "test_what_fails_is_reported",
        "test_a_name_is_no_quantity",
    ],
)
def test_names_with_excluded_parts_are_found(name: str) -> None:
    assert list(name_findings("x.py", [(1, name)]))


@pytest.mark.parametrize(
    "name",
    [
        "max_attempts",
        "keepalive",
        "almost",
        "answerable_host",
        "RequestContext",
        "test_a_pod_that_is_no_longer_ready_is_removed",
    ],
)
def test_names_of_standard_parts_pass(name: str) -> None:
    assert not list(name_findings("x.py", [(1, name)]))


def test_a_module_yields_docstrings_comments_messages_and_names() -> None:
    source = '''"""Module text."""
VALUE = "key"  # beside it
# above one
# above two
def load(path: str) -> None:
    raise ValueError(f"cannot read {path} as text")
'''
    contents = [text.content for text in python_texts(source)]
    assert contents == [
        "Module text.",
        "cannot read `x` as text",
        "beside it",
        "above one\nabove two",
    ]
    assert {name for _, name in python_names(source)} == {"VALUE", "load", "path"}


def test_regular_expressions_and_keys_are_not_prose() -> None:
    assert not list(python_texts('A = "some_key"\nB = r"(?:tell me) \\\\w+"\n'))


def test_markdown_yields_paragraphs_without_fenced_code() -> None:
    source = "# A title\n\nOne line\nand the next.\n\n```\nwhoever runs this\n```\n- an item\n"
    assert [text.content for text in markdown_texts(source)] == [
        "A title",
        "One line\nand the next.",
        "an item",
    ]


def test_comments_of_configuration_files_are_prose() -> None:
    assert [text.content for text in hash_comments("# first\nkey: value # second\nurl: x#y\n")] == [
        "first",
        "second",
    ]


def test_comments_of_typescript_are_texts_with_their_lines() -> None:
    source = """\
/** One sentence
 * on two lines. */
const url = 'https://localhost'; // after code
// first
// second
"""
    assert list(slash_comments(source)) == [
        Text(1, "One sentence\non two lines."),
        Text(3, "after code"),
        Text(4, "first\nsecond"),
    ]
