"""The media bucket, over the JSON API of Cloud Storage.

Google's own client is synchronous and costs 1.5 s and 60 MB to import, on every start of every pod; three
calls of a public HTTP API are all that is needed, and this way they stream and can be cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

import httpx

from app.settings import StorageSettings

_SCOPE: Final = "https://www.googleapis.com/auth/devstorage.read_write"


class StorageError(Exception):
    """The bucket did not do what was asked, or could not be reached."""


class ObjectMissing(StorageError):  # noqa: N818 (an answer, not a failure)
    """There is no object of that name."""


class GoogleAuth(httpx.Auth):
    """Bearer tokens of the pod's own workload identity, refreshed off the event loop before they expire."""

    def __init__(self) -> None:
        self._credentials: Any = None
        self._lock = asyncio.Lock()

    async def async_auth_flow(self, request: httpx.Request) -> Any:
        async with self._lock:
            if self._credentials is None or not self._credentials.valid:
                await asyncio.to_thread(self._refresh)
        request.headers["authorization"] = f"Bearer {self._credentials.token}"
        yield request

    def _refresh(self) -> None:
        import google.auth
        import google.auth.transport.requests

        if self._credentials is None:
            self._credentials, _ = google.auth.default(scopes=[_SCOPE])
        self._credentials.refresh(google.auth.transport.requests.Request())


class Bucket:
    """Objects by name. Every method raises :class:`StorageError` when the bucket cannot be reached."""

    def __init__(self, client: httpx.AsyncClient, name: str) -> None:
        self._client = client
        self._name = name

    async def put(self, name: str, data: bytes, *, media_type: str) -> None:
        """Store an object; the same name again replaces it, so a repeated job has one effect."""
        await self._ask(
            "POST",
            f"/upload/storage/v1/b/{self._name}/o",
            params={"uploadType": "media", "name": name},
            content=data,
            headers={"content-type": media_type},
        )

    async def get(self, name: str) -> bytes:
        """An object's bytes; :class:`ObjectMissing` when there is none."""
        path = f"/storage/v1/b/{self._name}/o/{quote(name, safe='')}"
        return (await self._ask("GET", path, params={"alt": "media"})).content

    async def check(self) -> None:
        """Ask for the bucket itself."""
        await self._ask("GET", f"/storage/v1/b/{self._name}", params={"fields": "name"})

    async def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            response = await self._client.request(method, path, **request)
        except httpx.HTTPError as error:
            raise StorageError(f"{type(error).__name__}: {error}") from error
        if response.status_code == httpx.codes.NOT_FOUND:
            raise ObjectMissing(path)
        if response.is_error:
            raise StorageError(f"the bucket answered {response.status_code}")
        return response


@asynccontextmanager
async def open_bucket(settings: StorageSettings) -> AsyncIterator[Bucket]:
    """The bucket of the settings, over verified TLS (``SSL_CERT_FILE`` names another authority)."""
    async with httpx.AsyncClient(
        base_url=settings.endpoint,
        auth=None if settings.anonymous else GoogleAuth(),
        timeout=httpx.Timeout(10.0, connect=2.0, pool=2.0),
        limits=httpx.Limits(max_connections=32, max_keepalive_connections=16),
    ) as client:
        yield Bucket(client, settings.bucket)
