"""Shorten sections to a limit, with a count of the entries that are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# GitHub's maximum is 65,536 UTF-16 units.
COMMENT_LIMIT = 65_536


@dataclass(frozen=True)
class Section:
    """A section of a text: `head`, `items`, `tail`. Only items may be left out, the last ones first.

    `what` is a plural noun for the items, for the line that counts the omitted ones.
    """

    head: str
    items: Sequence[str] = ()
    tail: str = ""
    what: str = "items"


def length(text: str) -> int:
    """Return the length in UTF-16 units, as GitHub counts; most emoji have two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def clipped(text: str, limit: int) -> str:
    """Return `text`, or its first `limit` characters and the number of omitted ones."""
    if length(text) <= limit:
        return text
    shortened = text[:limit]
    return f"{shortened}… ({len(text) - len(shortened):,} characters more)"


def fitted(sections: Sequence[Section], limit: int = COMMENT_LIMIT) -> str:
    """Return the sections as one text of at most `limit` characters, counted as in `length`.

    Items get equal shares of the limit by section; the unused part of a share goes to the other sections.
    Heads and tails are always included. Raises ValueError if they alone exceed the limit.
    """
    notes = [length(_note(section, len(section.items))) for section in sections]
    fixed = sum(length(section.head) + length(section.tail) for section in sections)
    needs = [sum(length(item) for item in section.items) for section in sections]
    if fixed + sum(needs) <= limit:
        return "".join(section.head + "".join(section.items) + section.tail for section in sections)
    room = limit - fixed - sum(note for note, section in zip(notes, sections, strict=True) if section.items)
    if room < 0:
        raise ValueError(f"{limit} characters are too few for the headings alone")
    rooms = _shares(needs, room)
    parts: list[str] = []
    for section, mine in zip(sections, rooms, strict=True):
        count = _fitting(section.items, mine)
        parts += [
            section.head,
            *section.items[:count],
            _note(section, len(section.items) - count),
            section.tail,
        ]
    return "".join(parts)


def _shares(needs: Sequence[int], room: int) -> list[int]:
    """Divide `room` characters among sections so that small needs are met and the others share equally."""
    shares = [0] * len(needs)
    open_ = [index for index, need in enumerate(needs) if need]
    while open_:
        equal = room // len(open_)
        content = [index for index in open_ if needs[index] <= equal]
        if not content:
            for index in open_:
                shares[index] = equal
            break
        for index in content:
            shares[index] = needs[index]
            room -= needs[index]
            open_.remove(index)
    return shares


def _fitting(items: Sequence[str], room: int) -> int:
    for index, item in enumerate(items):
        room -= length(item)
        if room < 0:
            return index
    return len(items)


def _note(section: Section, left_out: int) -> str:
    if not left_out:
        return ""
    return f"\n_… and {left_out:,} more of {len(section.items):,} {section.what}._\n"
