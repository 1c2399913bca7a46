"""Escape untrusted text in Markdown, so that markup, mentions and links in it have no effect."""

from __future__ import annotations

import html
import re
from typing import Final

from rehearsal.review.formats.truncation import clipped

_SPECIAL: Final = re.compile(r"([\\`*_\[\]|~])")
# GitHub converts this text to links and mentions after rendering; a zero-width character prevents that.
_CALLS: Final = re.compile(r"@|#|://|www\.|GH-", re.IGNORECASE)
_NO_WIDTH: Final = "\u200b"
WIDTH: Final = 160  # maximum characters of one value


def code(text: str, limit: int = WIDTH) -> str:
    """Return a code span of one line, also valid in a table."""
    text = clipped(" ".join(text.split()), limit) or " "
    run_length = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (run_length + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}".replace("|", r"\|")


def prose(text: str, limit: int = 2_000) -> str:
    """Return a sentence of one line without markup."""
    text = html.escape(clipped(" ".join(text.split()), limit), quote=False)
    return _CALLS.sub(lambda call: call[0][0] + _NO_WIDTH + call[0][1:], _SPECIAL.sub(r"\\\1", text))


def block(text: str, limit: int = 4_000) -> str:
    """Return lines in a fenced block."""
    text = clipped(text.rstrip(), limit)
    run_length = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, run_length + 1)
    return f"{fence}text\n{text}\n{fence}\n"
