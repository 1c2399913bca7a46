"""Client of the media bucket, based on the JSON API of Cloud Storage.

Google's client library is synchronous, and its import takes 1.5 s and 60 MB at each start. The service needs
only a few operations, which this client streams and which can be cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypeVar
from urllib.parse import quote

import httpx

from app.google_auth import AccessTokenError, AccessTokens
from app.resilience.breaker import Breaker, BreakerConfig, BreakerOpen
from app.resilience.http_transport import PooledTransport
from app.settings import StorageSettings
from app.telemetry.tracing import add_headers

P = ParamSpec("P")
T = TypeVar("T")

_REACHES: Final = re.compile(r"bytes (\d+)-\d+/(\d+)", re.ASCII)
# Half of a request's deadline, so that a 503 can still be sent if the bucket hangs. Without the breaker each
# request would wait that long and occupy concurrency of requests that need no storage.
_READ_SECONDS: Final = 5.0
_BREAKER: Final = BreakerConfig(
    window=20, minimum=3, slow_seconds=_READ_SECONDS, open_initial=1.0, open_max=5.0, probes=1
)
_SCOPE: Final = "https://www.googleapis.com/auth/devstorage.read_write"


class StorageError(Exception):
    """An operation of the bucket failed."""


class StorageUnavailable(StorageError):  # noqa: N818 (a state)
    """The bucket did not respond in time, responded with 5xx, or the circuit breaker is open."""


class ObjectMissing(StorageError):  # noqa: N818 (a result, not a failure)
    """No object with that name exists."""


class RangeMissing(StorageError):  # noqa: N818 (a result, not a failure)
    """The requested range begins after the end of the object."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object or a range of it, being downloaded. Call ``release`` in any case, read or unread.

    ``range`` is the value of ``Content-Range``, ``None`` for a complete object; ``length`` is in bytes.
    """

    chunks: AsyncGenerator[bytes]
    length: int | None
    range: str | None
    release: Callable[[], Awaitable[None]]


class GoogleAuth(httpx.Auth):
    """Bearer tokens of the pod's workload identity, refreshed in a thread before they expire."""

    def __init__(self, tokens: AccessTokens | None = None) -> None:
        self._tokens = tokens or AccessTokens(_SCOPE)
        self._lock = asyncio.Lock()

    async def async_auth_flow(self, request: httpx.Request) -> Any:
        try:
            async with self._lock:
                # If the token is valid, no thread is used.
                token = (
                    self._tokens.token()
                    if self._tokens.valid
                    else await asyncio.to_thread(self._tokens.token)
                )
        except AccessTokenError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        request.headers["authorization"] = f"Bearer {token}"
        yield request


class Bucket:
    """Objects by name. All methods raise :class:`StorageError`, :class:`StorageUnavailable` in an outage."""

    def __init__(self, client: httpx.AsyncClient, name: str) -> None:
        self._client = client
        self._name = name
        self._breaker = Breaker("storage", _BREAKER, failures=(StorageUnavailable,))

    async def put(
        self, name: str, data: bytes | AsyncIterator[bytes], *, media_type: str, size: int | None = None
    ) -> None:
        """Store an object, replacing one with the same name. ``size`` (bytes) is required for an iterator."""
        length = {} if size is None else {"content-length": str(size)}
        await self._call(
            "POST",
            f"/upload/storage/v1/b/{self._name}/o",
            params={"uploadType": "media", "name": name},
            content=data,
            headers={"content-type": media_type, **length},
        )

    async def open(self, name: str, part: str | None = None) -> Found:
        """Open an object as a stream, or the ``part`` of it that is given like a ``Range`` header.

        Raises :class:`ObjectMissing` and :class:`RangeMissing`.
        """
        request = self._client.build_request(
            "GET",
            f"/storage/v1/b/{self._name}/o/{quote(name, safe='')}",
            params={"alt": "media"},
            headers={"accept-encoding": "identity"} | ({"range": part} if part else {}),
        )
        response = await self._guarded(self._open, request, name)
        reaches = _REACHES.fullmatch(response.headers.get("content-range", ""))
        if reaches is not None and int(reaches[1]) >= int(reaches[2]):
            # Cloud Storage responds with 416 here, the local emulator with an empty body.
            await response.aclose()
            raise RangeMissing(name)
        length = response.headers.get("content-length", "")
        return Found(
            chunks=_chunks(response),
            length=int(length) if length.isdigit() else None,
            range=response.headers.get("content-range") if response.status_code == 206 else None,
            release=response.aclose,
        )

    async def _open(self, request: httpx.Request, name: str) -> httpx.Response:
        try:
            response = await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise StorageUnavailable(f"{type(error).__name__}: {error}") from error
        try:
            _check(response, name)
        except StorageError:
            await response.aclose()
            raise
        return response

    async def delete(self, name: str) -> None:
        """Delete an object, if it exists."""
        with contextlib.suppress(ObjectMissing):
            await self._call("DELETE", f"/storage/v1/b/{self._name}/o/{quote(name, safe='')}")

    async def get(self, name: str) -> bytes:
        """Return the content of an object. Raises :class:`ObjectMissing`."""
        path = f"/storage/v1/b/{self._name}/o/{quote(name, safe='')}"
        return (await self._call("GET", path, params={"alt": "media"})).content

    async def check(self) -> None:
        """Read the bucket's metadata, bypassing the circuit breaker, as a health check."""
        await self._send("GET", f"/storage/v1/b/{self._name}", params={"fields": "name"})

    async def _call(self, method: str, path: str, **request: Any) -> httpx.Response:
        return await self._guarded(self._send, method, path, **request)

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            response = await self._client.request(method, path, **request)
        except httpx.HTTPError as error:
            raise StorageUnavailable(f"{type(error).__name__}: {error}") from error
        _check(response, path)
        return response

    async def _guarded(self, work: Callable[P, Awaitable[T]], *arguments: P.args, **named: P.kwargs) -> T:
        try:
            return await self._breaker.call(work, *arguments, **named)
        except BreakerOpen as refusal:
            raise StorageUnavailable(str(refusal)) from refusal


def _check(response: httpx.Response, what: str) -> None:
    if response.status_code == httpx.codes.NOT_FOUND:
        raise ObjectMissing(what)
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise RangeMissing(what)
    if response.is_server_error:
        raise StorageUnavailable(f"the bucket responded with {response.status_code}")
    if response.is_error:
        raise StorageError(f"the bucket responded with {response.status_code}")


async def _chunks(response: httpx.Response) -> AsyncGenerator[bytes]:
    try:
        async for chunk in response.aiter_bytes():
            yield chunk
    except httpx.HTTPError as error:
        raise StorageError(f"{type(error).__name__}: {error}") from error


@asynccontextmanager
async def open_bucket(settings: StorageSettings) -> AsyncIterator[Bucket]:
    """Open the bucket of the settings, with verified TLS (``SSL_CERT_FILE`` can name a different CA)."""
    async with httpx.AsyncClient(
        base_url=settings.endpoint,
        auth=None if settings.anonymous else GoogleAuth(),
        timeout=httpx.Timeout(_READ_SECONDS, connect=2.0, pool=2.0),
        event_hooks={"request": [add_headers]},
        transport=PooledTransport(httpx.Limits(max_connections=32, max_keepalive_connections=16)),
    ) as client:
        yield Bucket(client, settings.bucket)
