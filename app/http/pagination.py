"""Cursor pagination. Cursors are opaque to clients, so that their content can change."""

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
        pattern=f"^{_VERSION}{PATTERN.removeprefix('^')}",
        description="The `next` of the previous page.",
    ),
]


class PageQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Page size and position in a list."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Cursor | UnsetType = UNSET

    @property
    def before(self) -> str | None:
        """Sort key of the last item of the previous page; ``None`` for the first page."""
        return None if self.cursor is UNSET else decode(self.cursor)


def encode(order: str) -> str:
    """Return the cursor of the page after the item with the sort key ``order``."""
    return _VERSION + order


def decode(cursor: Cursor) -> str:
    """Return the sort key in a cursor."""
    return cursor.removeprefix(_VERSION)


def cut(documents: list[Document], limit: int) -> tuple[list[Document], str | None]:
    """Return the first ``limit`` documents and the cursor of the next page, ``None`` if there is none.

    The caller queries ``limit + 1`` documents.
    """
    page = documents[:limit]
    return page, encode(page[-1]["order"]) if len(documents) > limit else None
