"""Client of the media bucket while the bucket hangs or fails."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from app.google_auth import AccessTokenError, AccessTokens
from app.storage import Bucket, GoogleAuth, ObjectMissing, StorageUnavailable

pytestmark = pytest.mark.anyio


def bucket(respond: Callable[[httpx.Request], httpx.Response]) -> Bucket:
    transport = httpx.MockTransport(respond)
    return Bucket(httpx.AsyncClient(transport=transport, base_url="http://storage"), "media")


async def test_circuit_breaker_opens_for_a_hung_bucket() -> None:
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


async def test_missing_objects_do_not_open_the_circuit_breaker() -> None:
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


async def test_a_bucket_is_unavailable_without_an_access_token() -> None:
    class Refused(AccessTokens):
        def token(self) -> str:
            raise AccessTokenError("no access token")

    auth = GoogleAuth(Refused("a-scope"))
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    refused = Bucket(httpx.AsyncClient(transport=transport, base_url="http://storage", auth=auth), "media")
    with pytest.raises(StorageUnavailable, match="no access token"):
        await refused.get("an object")
