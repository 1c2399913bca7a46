"""A cache of complete responses, for reads that are the same for every client (MID1).

The cached response is the rendered one, entity tag included, in the process and in Redis. Its key is the path
and the parameters that the route declares, decoded and in a fixed order: spellings of one value share an
entry, and parameters that no route reads create none. The request that fills the cache is built from that key
alone, so no header, method, session or deadline of a client can become part of what others receive.
Responses carry their tags as ``Surrogate-Key`` and ``Cache-Tag``: the tags that invalidate here purge the
edge. "Not found" is cached like a response; other errors are not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.cache import Cache, Loaded
from app.http.problems import NOT_FOUND, Problem
from app.http.requests import header, read_query
from app.http.responses import NOT_MODIFIED, Headers, matches, write
from app.middleware.coalescing import RecordedResponse

if TYPE_CHECKING:
    from redis.asyncio import Redis

_MAX_KEY_LENGTH: Final = 512  # longer URLs are not cached: the route rejects them
_MAX_CANONICAL: Final = 1_000


@dataclass(frozen=True)
class CachePolicy:
    """How responses of a route are cached.

    ``fresh`` and ``stale`` are seconds (see :class:`app.cache.Loaded`), ``names`` the tags that invalidate
    the response; ``on_hit`` is called for every response that is sent.
    """

    fresh: float
    stale: float
    names: tuple[str, ...]
    on_hit: Callable[[], None] | None = None


class CachedResponse(msgspec.Struct, frozen=True, array_like=True):
    """A cached response; status 404 is a cached "not found" with the problem's detail as ``body``."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class ResponseCacheMiddleware:
    """Response cache in front of a public route. ``query`` declares the route's query parameters."""

    def __init__(
        self,
        app: ASGIApp,
        policy: CachePolicy,
        cache: Cache[CachedResponse],
        query: type[msgspec.Struct] | None = None,
    ) -> None:
        self._app = app
        self._policy = policy
        self._cache = cache
        self._query = query
        # Decoding a query costs as much as the rest of a cached response, and clients send few distinct ones.
        self._canonical: dict[bytes, str] = {b"": ""}
        names = " ".join(policy.names).encode()
        self._tag_headers: Headers = [(b"surrogate-key", names), (b"cache-tag", names.replace(b" ", b","))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, query = scope["path"], scope["query_string"]
        if len(path) + len(query) > _MAX_KEY_LENGTH:
            await self._app(scope, receive, send)
            return
        canonical = self._canonical.get(query)
        if canonical is None:
            canonical = canonical_query(self._query, query)
            if len(self._canonical) >= _MAX_CANONICAL:
                self._canonical = {b"": ""}
            self._canonical[query] = canonical
        key = f"{path}?{canonical}"
        response = await self._cache.fetch(
            key, lambda: self._load(fill_scope(scope, canonical)), self._policy.names
        )
        if response.status == NOT_FOUND.status:
            raise Problem(NOT_FOUND, response.body.decode())
        if self._policy.on_hit is not None:
            self._policy.on_hit()
        headers = [*response.headers, *self._tag_headers]
        tag = next((value for name, value in response.headers if name == b"etag"), b"")
        if tag and matches(header(scope, b"if-none-match"), tag.decode()):
            left = [each for each in headers if each[0] != b"content-type"]
            await write(send, NOT_MODIFIED, left, b"")
            return
        await write(send, response.status, headers, response.body, head=scope["method"] == "HEAD")

    async def _load(self, scope: Scope) -> Loaded[CachedResponse]:
        """Call the route with an anonymous request."""
        recorded = RecordedResponse()

        async def record(message: Message) -> None:
            recorded.record(message)

        try:
            await self._app(scope, _no_body, record)
        except Problem as problem:
            if problem.kind is not NOT_FOUND:
                raise
            not_found = CachedResponse(NOT_FOUND.status, [], problem.detail.encode())
            return Loaded(not_found, self._policy.fresh)
        headers = [each for each in recorded.headers if each[0] != b"content-length"]
        return Loaded(
            CachedResponse(recorded.status, headers, b"".join(recorded.body)),
            self._policy.fresh,
            self._policy.stale,
        )


def response_cache(redis: Redis) -> Cache[CachedResponse]:
    """Return the cache of complete responses."""
    decoder = msgspec.msgpack.Decoder(CachedResponse)
    return Cache(redis, "responses", encode=msgspec.msgpack.Encoder().encode, decode=decoder.decode)


def fill_scope(scope: Scope, query: str) -> Scope:
    """Return the anonymous request that fills the cache: path and routing result of ``scope``, and nothing
    that identifies a client.
    """
    headers: Headers = []
    return {
        "type": "http",
        "asgi": scope.get("asgi", {}),
        "http_version": "1.1",
        "scheme": "https",
        "root_path": "",
        "server": None,
        "client": None,
        "method": "GET",
        "path": scope["path"],
        "path_params": scope.get("path_params", {}),
        "route": scope.get("route", ""),
        "query_string": query.encode("ascii"),
        "headers": headers,
        "response_headers": list(headers),
        "request_id": "",
    }


def canonical_query(kind: type[msgspec.Struct] | None, query: bytes) -> str:
    """Return the parameters that ``kind`` declares, decoded and sorted by name, without default values.

    A request with a default value is the same as one without the parameter. Raises :class:`Problem` (422) if
    ``query`` does not match ``kind``; no entry is created for it.
    """
    if kind is None:
        return ""
    values: dict[str, Any] = msgspec.to_builtins(read_query(kind, query))
    defaults = {field.encode_name: field.default for field in msgspec.structs.fields(kind)}
    return urlencode(sorted((name, value) for name, value in values.items() if value != defaults[name]))


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
