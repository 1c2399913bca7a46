"""The media bucket while it hangs or fails."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from app.storage import Bucket, ObjectMissing, StorageUnavailable

pytestmark = pytest.mark.anyio


def bucket(respond: Callable[[httpx.Request], httpx.Response]) -> Bucket:
    transport = httpx.MockTransport(respond)
    return Bucket(httpx.AsyncClient(transport=transport, base_url="http://storage"), "media")


async def test_a_bucket_that_hangs_is_not_called_again_by_every_request() -> None:
    sent = 0

    def hang(request: httpx.Request) -> httpx.Response:
        nonlocal sent
        sent += 1
        raise httpx.ReadTimeout("no response", request=request)

    hung = bucket(hang)
    for _ in range(20):
        with pytest.raises(StorageUnavailable):
            await hung.get("an object")
    with pytest.raises(StorageUnavailable):
        await hung.open("an object")
    assert sent == 3
    with pytest.raises(StorageUnavailable):
        await hung.check()
    assert sent == 4, "the background check sees when the bucket responds again"


async def test_missing_objects_leave_the_bucket_in_use() -> None:
    sent = 0

    def missing(request: httpx.Request) -> httpx.Response:
        nonlocal sent
        sent += 1
        return httpx.Response(404)

    empty = bucket(missing)
    for _ in range(20):
        with pytest.raises(ObjectMissing):
            await empty.get("an object")
    assert sent == 20
