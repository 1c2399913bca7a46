"""Bodies of the analytics routes: bounds of batches, events and ranges."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from app.analytics.schemas import MAX_DAYS, MAX_EVENTS, DaysQuery, Event, NewEvents

VALID: dict[str, Any] = {"id": "event-01", "name": "app.opened", "at": "2026-01-01T00:00:00Z"}


def batch(count: int) -> dict[str, Any]:
    return {"events": [VALID | {"id": f"event-{number:03}"} for number in range(count)]}


@pytest.mark.parametrize("count", [1, MAX_EVENTS])
def test_batch_within_its_bounds_is_accepted(count: int) -> None:
    assert len(msgspec.convert(batch(count), NewEvents).events) == count


@pytest.mark.parametrize("count", [0, MAX_EVENTS + 1])
def test_batch_outside_of_its_bounds_is_rejected(count: int) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(batch(count), NewEvents)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "short"},
        {"id": "x" * 65},
        {"id": "event 01"},
        {"name": "unknown"},
        {"at": "2026-01-01T00:00:00"},
        {"seconds": -0.1},
        {"seconds": 86_400.1},
        {"screen": "x" * 81},
        {"other": 1},
    ],
)
def test_invalid_event_is_rejected(change: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(VALID | change, Event)


@pytest.mark.parametrize(("days", "valid"), [(0, False), (1, True), (MAX_DAYS, True), (MAX_DAYS + 1, False)])
def test_range_is_limited(days: int, valid: bool) -> None:
    if valid:
        assert msgspec.convert({"days": days}, DaysQuery).days == days
    else:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"days": days}, DaysQuery)
