"""Places in lists, as clients carry them: to be sent back as they came, so that what is inside can change."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.connections import Document
from app.ids import PATTERN

_VERSION: Final = "1-"
Cursor = Annotated[
    str,
    Meta(
        pattern=f"^{_VERSION}{PATTERN.removeprefix('^')}", description="From the `next` of the part before."
    ),
]


class PageQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which part of a list."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Cursor | UnsetType = UNSET

    @property
    def before(self) -> str | None:
        """The place that the part begins after; ``None`` for the first part."""
        return None if self.cursor is UNSET else decode(self.cursor)


def encode(order: str) -> str:
    """The cursor of what comes after the item with that place."""
    return _VERSION + order


def decode(cursor: Cursor) -> str:
    """The place that a cursor stands for."""
    return cursor.removeprefix(_VERSION)


def cut(documents: list[Document], limit: int) -> tuple[list[Document], str | None]:
    """The part to show of ``limit + 1`` documents, and the cursor of what follows, if anything does."""
    shown = documents[:limit]
    return shown, encode(shown[-1]["order"]) if len(documents) > limit else None
