"""Bodies of the media routes."""

from __future__ import annotations

import msgspec
import pytest

from app.media.schemas import MakeVariants, SignedQuery


@pytest.mark.parametrize("expires", [0, 99_999_999_999])
def test_signed_query_within_its_bounds_is_accepted(expires: int) -> None:
    query = msgspec.convert({"expires": expires, "signature": "A" * 43}, SignedQuery)
    assert query.expires == expires


@pytest.mark.parametrize(
    "query",
    [
        {"expires": -1, "signature": "A" * 43},
        {"expires": 100_000_000_000, "signature": "A" * 43},
        {"expires": 1, "signature": "A" * 42},
        {"expires": 1, "signature": "A" * 44},
        {"expires": 1, "signature": "A" * 42 + "\n"},
        {"expires": 1, "signature": "A" * 43, "x": 1},
    ],
)
def test_malformed_signed_query_is_rejected(query: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(query, SignedQuery)


def test_job_payload_without_trace_is_accepted() -> None:
    assert msgspec.json.decode(b'{"id":"one"}', type=MakeVariants).trace == ""
