"""The current time in milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app import clock


@pytest.mark.parametrize(("microsecond", "expected"), [(999_999, 999_000), (1_999, 1_000), (999, 0)])
def test_time_is_truncated_to_milliseconds(
    monkeypatch: pytest.MonkeyPatch, microsecond: int, expected: int
) -> None:
    class Fixed(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Any:
            assert tz is UTC
            return datetime(2026, 5, 4, 12, 30, 15, microsecond, UTC)

    monkeypatch.setattr(clock, "datetime", Fixed)
    assert clock.now() == datetime(2026, 5, 4, 12, 30, 15, expected, UTC)
