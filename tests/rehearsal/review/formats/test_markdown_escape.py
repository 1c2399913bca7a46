"""Untrusted text in a comment: shown literally, without markup, mentions or links."""

from __future__ import annotations

import pytest

from rehearsal.review.formats.markdown_escape import block, code, prose

NO_WIDTH = "\u200b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[a](b)", r"\[a\](b)"),
        ("[a][ref]", r"\[a\]\[ref\]"),
        ("**b** _i_ ~~s~~", r"\*\*b\*\* \_i\_ \~\~s\~\~"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("@team", f"@{NO_WIDTH}team"),
        ("#12 GH-12", f"#{NO_WIDTH}12 G{NO_WIDTH}H-12"),
        ("https://x.example www.x.example", f"https:{NO_WIDTH}//x.example w{NO_WIDTH}ww.x.example"),
        ("a\n# b", f"a #{NO_WIDTH} b"),
    ],
)
def test_prose_has_no_markup_mention_or_link(text: str, shown: str) -> None:
    assert prose(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"), [("a", "`a`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), ("a|b", r"`a\|b`"), ("", "` `")]
)
def test_code_span_contains_any_text(text: str, shown: str) -> None:
    assert code(text) == shown


def test_fence_is_longer_than_any_run_of_backticks_in_it() -> None:
    assert block("````\nx") == "`````text\n````\nx\n`````\n"


def test_long_text_is_cut_and_counted() -> None:
    assert code("x" * 200, limit=10).startswith("`xxxxxxxxxx… (190 characters more)")
