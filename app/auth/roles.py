"""What an account may do, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """A right beyond an account's own things. Given by an administrator, carried in the session."""

    ANALYST = "analyst"
    ADMINISTRATOR = "administrator"


class Plan(StrEnum):
    """What an account has bought."""

    FREE = "free"
    CREATOR = "creator"
    STUDIO = "studio"


@dataclass(frozen=True)
class Allowance:
    """What a plan includes: pieces of content waiting to be made at once, bytes of one upload and of all of
    them together."""

    unfinished: int
    upload_bytes: int
    media_bytes: int


_MIB: Final = 1024 * 1024
ALLOWANCES: Final = {
    Plan.FREE: Allowance(unfinished=20, upload_bytes=10 * _MIB, media_bytes=200 * _MIB),
    Plan.CREATOR: Allowance(unfinished=100, upload_bytes=25 * _MIB, media_bytes=5_000 * _MIB),
    Plan.STUDIO: Allowance(unfinished=500, upload_bytes=25 * _MIB, media_bytes=50_000 * _MIB),
}
LARGEST_UPLOAD: Final = max(allowance.upload_bytes for allowance in ALLOWANCES.values())
