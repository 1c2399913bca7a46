"""Identifiers: UUID version 7 (RFC 9562). They sort by creation time, so indexes grow at one end."""

from __future__ import annotations

import secrets
import time
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from app.http.text import END

PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}" + END
Id = Annotated[str, Meta(pattern=PATTERN)]

_latest = 0


def new_id() -> str:
    """Return a new identifier of 36 characters. Identifiers of one process are strictly increasing.

    The 12 bits after the milliseconds are a fraction of a millisecond (RFC 9562, section 6.2, method 3),
    incremented if two identifiers would be equal.
    """
    global _latest
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    _latest = max(milliseconds << 12 | rest * 4096 // 1_000_000, _latest + 1)
    value = (_latest >> 12) << 80 | 0x7 << 76 | (_latest & 0xFFF) << 64 | 0x2 << 62 | secrets.randbits(62)
    return str(UUID(int=value))
