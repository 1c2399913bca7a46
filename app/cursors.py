"""Places in lists, as clients carry them: opaque, so that what is inside can change."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from app.connections import Document
from app.ids import PATTERN
from app.problems import INVALID, FieldError, Problem

Cursor = Annotated[str, Meta(max_length=80, description="From the `next` of the part before.")]


class PageQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which part of a list."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Cursor | None = None

    @property
    def before(self) -> str | None:
        """The place that the part begins after; :class:`Problem` (422) for a cursor that nobody gave out."""
        return None if self.cursor is None else decode(self.cursor)


_ORDER: Final = re.compile(PATTERN, re.ASCII)
_VERSION: Final = b"1"


def encode(order: str) -> str:
    """The cursor of what comes after the item with that place."""
    return base64.urlsafe_b64encode(_VERSION + order.encode()).decode().rstrip("=")


def decode(cursor: str) -> str:
    """The place that a cursor stands for; :class:`Problem` (422) for one that nobody gave out."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        version, order = raw[:1], raw[1:].decode("ascii")
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise _unknown() from error
    if version != _VERSION or _ORDER.fullmatch(order) is None or encode(order) != cursor:
        raise _unknown()
    return order


def cut(documents: list[Document], limit: int) -> tuple[list[Document], str | None]:
    """The part to show of ``limit + 1`` documents, and the cursor of what follows, if anything does."""
    shown = documents[:limit]
    return shown, encode(shown[-1]["order"]) if len(documents) > limit else None


def _unknown() -> Problem:
    detail = "Only a cursor from the answer before can be used."
    return Problem(INVALID, detail, errors=[FieldError(at="cursor", detail=detail)])
