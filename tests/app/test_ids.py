"""Identifiers: UUIDs of version 7 in the order of their creation."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from app import ids
from app.ids import PATTERN, new_id


def test_identifier_is_a_uuid_of_version_7_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_latest", 0)
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_700_000_000_123_500_000)
    found = UUID(new_id())
    assert (found.version, found.variant) == (7, "specified in RFC 4122")
    assert found.int >> 80 == 1_700_000_000_123
    assert found.int >> 64 & 0xFFF == 2048, "half a millisecond"


def test_identifiers_increase_also_if_the_clock_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_700_000_000_000_000_000)
    found = [new_id() for _ in range(5_000)]
    assert found == sorted(set(found))


def test_pattern_matches_identifiers_only() -> None:
    assert re.search(PATTERN, new_id())
    other = "0190a8f0-0000-4000-8000-000000000000"
    for text in (other, new_id() + "\n", new_id().upper(), "x" + new_id(), new_id()[:-1]):
        assert not re.search(PATTERN, text)
