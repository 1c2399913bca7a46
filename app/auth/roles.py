"""Roles of accounts, and the quotas of their plans."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """A permission beyond an account's own resources.

    Granted by an administrator, stored in the session token.
    """

    ANALYST = "analyst"
    ADMINISTRATOR = "administrator"


class Plan(StrEnum):
    """The product tier of an account."""

    FREE = "free"
    CREATOR = "creator"
    STUDIO = "studio"


@dataclass(frozen=True)
class PlanQuota:
    """Quotas of a plan: concurrent content generations, bytes of one upload, and bytes of all uploads."""

    unfinished: int
    upload_bytes: int
    media_bytes: int


_MIB: Final = 1024 * 1024
PLAN_QUOTAS: Final = {
    Plan.FREE: PlanQuota(unfinished=20, upload_bytes=10 * _MIB, media_bytes=200 * _MIB),
    Plan.CREATOR: PlanQuota(unfinished=100, upload_bytes=25 * _MIB, media_bytes=5_000 * _MIB),
    Plan.STUDIO: PlanQuota(unfinished=500, upload_bytes=25 * _MIB, media_bytes=50_000 * _MIB),
}
MAX_UPLOAD_BYTES: Final = max(quota.upload_bytes for quota in PLAN_QUOTAS.values())
