"""Cursors and pages."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from app.http.pagination import PageQuery, cut, decode, encode
from app.ids import new_id

ORDERS = sorted(new_id() for _ in range(3))
DOCUMENTS: list[dict[str, Any]] = [{"order": order} for order in ORDERS]


@pytest.mark.parametrize(
    ("limit", "size", "more"), [(1, 1, True), (2, 2, True), (3, 3, False), (4, 3, False)]
)
def test_next_page_starts_after_the_last_item(limit: int, size: int, more: bool) -> None:
    page, cursor = cut(DOCUMENTS, limit)
    assert page == DOCUMENTS[:size]
    assert cursor == (encode(ORDERS[size - 1]) if more else None)


def test_empty_list_has_no_next_page() -> None:
    assert cut([], 20) == ([], None)


def test_cursor_holds_the_sort_key() -> None:
    query = msgspec.convert({"cursor": encode(ORDERS[0]), "limit": 100}, PageQuery)
    assert query.before == decode(encode(ORDERS[0])) == ORDERS[0]
    assert PageQuery().before is None
    assert PageQuery().limit == 20


@pytest.mark.parametrize(
    "members", [{"limit": 0}, {"limit": 101}, {"cursor": ORDERS[0]}, {"cursor": encode("x")}, {"page": 2}]
)
def test_malformed_query_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(members, PageQuery)
