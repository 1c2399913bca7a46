"""Read blocks, links, anchors and tables of the repository's Markdown documents, for tests."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.repository._tree import ROOT, tracked

FENCE = re.compile(
    r"^(?P<fence>```+|~~~+)(?P<language>[\w-]*)[^\n]*\n(?P<body>.*?)^(?P=fence)\s*$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(?P<title>.+?) *$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    document: Path
    language: str
    body: str


def documents() -> tuple[Path, ...]:
    """Every page of the repository: its Markdown files, without recorded output and GitHub's templates."""
    return tuple(
        path for path in tracked(".md") if not {"tests", ".github"} & set(path.relative_to(ROOT).parts)
    )


def prose(document: Path) -> str:
    """A document without its fenced blocks."""
    return FENCE.sub("", document.read_text())


def blocks(document: Path, *languages: str) -> Iterator[Block]:
    """The fenced blocks in one of these languages."""
    for match in FENCE.finditer(document.read_text()):
        if match["language"] in languages:
            yield Block(document, match["language"], match["body"])


def links(document: Path) -> Iterator[str]:
    """Link targets of a document."""
    for match in LINK.finditer(re.sub(r"`[^`\n]*`", "", prose(document))):
        yield match["target"]


def anchors(document: Path) -> set[str]:
    """Anchors of a document, as GitHub derives them from headings."""
    titles = (match["title"] for match in HEADING.finditer(prose(document)))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def table(document: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head.

    Raises:
        LookupError: when there is no such heading, or no table below it.
    """
    text = document.read_text()
    found = re.search(rf"^#+ +{re.escape(heading)} *$(?P<below>.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    lines = re.search(r"(?:^\|.+\|[ \t]*(?:\n|\Z))+", found["below"], re.MULTILINE) if found else None
    rows = re.findall(r"^\|(.+)\|[ \t]*$", lines[0], re.MULTILINE) if lines else []
    if not rows:
        raise LookupError(f"no table below “{heading}” in {document.relative_to(ROOT)}")
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)] for row in rows[2:]]
