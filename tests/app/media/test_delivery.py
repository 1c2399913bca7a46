"""Delivery: visibility before anything else, revalidation, single ranges, outages."""

from __future__ import annotations

import time
from typing import cast

import pytest

from app.http.problems import Problem
from app.media.delivery import ConditionalHeaders, MediaDelivery
from app.media.signed_urls import SignedUrls, object_name
from app.media.visibility import MAX_CACHED_SECONDS, Visibility
from app.storage import Bucket
from tests.support.storage import MemoryBucket

pytestmark = pytest.mark.anyio

TAG = '"an-id/320.webp"'


class Public:
    """Visibility without a database."""

    public = True

    async def is_public(self, image_id: str) -> bool:
        return self.public


class Setup:
    def __init__(self) -> None:
        self.objects, self.visibility = MemoryBucket(), Public()
        self.objects.objects[object_name("an-id", "320.webp")] = b"0123456789"
        self.urls = SignedUrls((bytes(32),))
        self.delivery = MediaDelivery(
            cast(Bucket, self.objects), self.urls, cast(Visibility, self.visibility)
        )

    async def fetch(
        self, *, part: str | None = None, if_range: str | None = None, if_none_match: str | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        query = dict(pair.split("=") for pair in self.urls.sign("an-id", "320.webp").split("?")[1].split("&"))
        conditions = ConditionalHeaders(part, if_range, if_none_match)
        expires, signature = int(query["expires"]), query["signature"]
        response = await self.delivery.fetch("an-id", "320.webp", expires, signature, conditions)
        body = b""
        if response.body is not None:
            body = b"".join([chunk async for chunk in response.body.chunks])
        headers = {name.decode(): value.decode() for name, value in response.headers}
        return response.status or 200, headers, body


async def test_image_is_delivered_with_bounded_caching() -> None:
    status, headers, body = await Setup().fetch()
    assert (status, body, headers["etag"]) == (200, b"0123456789", TAG)
    assert headers["content-type"] == "image/webp"
    assert headers["cache-control"] == f"public, max-age={MAX_CACHED_SECONDS}"
    assert headers["cache-tag"] == headers["surrogate-key"] == "media-an-id"


@pytest.mark.parametrize(
    ("part", "if_range", "expected"),
    [
        ("bytes=2-4", None, (206, b"234")),
        ("bytes=2-4", TAG, (206, b"234")),
        ("bytes=2-4", '"other"', (200, b"0123456789")),
        ("bytes=4-2", None, (200, b"0123456789")),
        ("bytes=4-4", None, (206, b"4")),
        ("bytes=-", None, (200, b"0123456789")),
        ("bytes=0-1,3-4", None, (200, b"0123456789")),
        ("lines=0-1", None, (200, b"0123456789")),
    ],
)
async def test_single_valid_ranges_are_honored(
    part: str, if_range: str | None, expected: tuple[int, bytes]
) -> None:
    status, headers, body = await Setup().fetch(part=part, if_range=if_range)
    assert (status, body) == expected
    assert ("content-range" in headers) == (status == 206)


async def test_range_beyond_the_end_is_not_satisfiable() -> None:
    with pytest.raises(Problem) as caught:
        await Setup().fetch(part="bytes=10-11")
    assert caught.value.kind.status == 416


async def test_current_copy_is_not_sent_again() -> None:
    setup = Setup()
    assert (await setup.fetch(if_none_match=TAG))[0] == 304
    assert setup.objects.calls == 0


async def test_withdrawn_image_is_not_found_even_for_a_current_copy() -> None:
    setup = Setup()
    setup.visibility.public = False
    with pytest.raises(Problem) as caught:
        await setup.fetch(if_none_match=TAG)
    assert caught.value.kind.status == 404


async def test_missing_object_is_not_found_and_an_outage_is_unavailable() -> None:
    setup = Setup()
    setup.objects.available = False
    with pytest.raises(Problem) as caught:
        await setup.fetch()
    assert (caught.value.kind.status, caught.value.headers["retry-after"]) == (503, "2")
    setup.objects.available = True
    setup.objects.objects.clear()
    with pytest.raises(Problem) as caught:
        await setup.fetch()
    assert caught.value.kind.status == 404


async def test_cache_lifetime_ends_with_the_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = Setup()
    end = (int(time.time()) // 3600 + 2) * 3600
    monkeypatch.setattr(setup.delivery._urls, "_clock", lambda: end - 7.0)
    monkeypatch.setattr(setup, "urls", SignedUrls((bytes(32),)))
    _, headers, _ = await setup.fetch()
    assert headers["cache-control"] == "public, max-age=7"
