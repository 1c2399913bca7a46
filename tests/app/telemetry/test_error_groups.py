"""Unexpected errors are grouped by type and code location."""

from __future__ import annotations

from pathlib import Path

import pytest
from pymongo.errors import AutoReconnect, DuplicateKeyError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from app.telemetry import error_groups
from app.telemetry.error_groups import ErrorGroups, is_outage
from app.telemetry.thresholds import ThresholdsError, read


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_errors_of_one_location_with_different_messages_share_a_group() -> None:
    groups = ErrorGroups()
    first = groups.add(raised(ValueError("id 1")), "GET /a")
    again = groups.add(raised(ValueError("id 2")), "GET /b")
    assert again is first
    assert (again.count, again.message, again.route) == (2, "id 2", "GET /b")
    assert again.first_at <= again.last_at
    other = groups.add(raised(KeyError("id 1")), "GET /a")
    assert other.count == 1
    assert [group.error for group in groups.latest()] == ["KeyError", "ValueError"]


def test_recurring_group_becomes_the_latest() -> None:
    groups = ErrorGroups()
    for error in (ValueError("a"), KeyError("b"), ValueError("c")):
        groups.add(raised(error), "GET /a")
    assert [group.error for group in groups.latest()] == ["ValueError", "KeyError"]


def test_least_recently_seen_group_is_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_groups, "_MAX_GROUPS", 2)
    groups = ErrorGroups()
    for error in (ValueError("a"), KeyError("b"), OSError("c")):
        groups.add(raised(error), "GET /a")
    assert [group.error for group in groups.latest()] == ["OSError", "KeyError"]


def test_location_is_the_innermost_frame_of_the_service(tmp_path: Path) -> None:
    groups = ErrorGroups()
    with pytest.raises(ThresholdsError) as caught:
        read(tmp_path / "missing.json")
    assert groups.add(caught.value, "x").where.startswith("telemetry/thresholds.py:")
    assert groups.add(raised(ValueError("x" * 1_000)), "x").where.startswith("test_error_groups.py:")
    assert groups.add(ValueError("not raised"), "x").where == "unknown"


def test_messages_are_truncated() -> None:
    assert len(ErrorGroups().add(raised(ValueError("x" * 1_000)), "x").message) == 300


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AutoReconnect("x"), True),
        (DuplicateKeyError("x"), False),
        (RedisConnectionError("x"), True),
        (ResponseError("x"), False),
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (FileNotFoundError(), False),
        (ValueError(), False),
    ],
)
def test_outages_are_distinguished_from_defects(error: Exception, expected: bool) -> None:
    assert is_outage(error) is expected
