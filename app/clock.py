"""The current time, in the resolution that MongoDB stores."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the UTC time truncated to milliseconds, so that it equals the value read back from MongoDB."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
