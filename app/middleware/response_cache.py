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

_LONGEST: Final = 512  # a longer address is not worth a key: the route will refuse it
_MAX_CANONICAL: Final = 1_000


@dataclass(frozen=True)
class Kept:
    """How an answer is kept: seconds it is fresh, then stale; the names that invalidate it; and who hears
    that it was given out.
    """

    fresh: float
    stale: float
    names: tuple[str, ...]
    given: Callable[[], None] | None = None


class CachedResponse(msgspec.Struct, frozen=True, array_like=True):
    """An answer; status 404 stands for "not there" with ``body`` as its detail."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class ResponseCacheMiddleware:
    """In front of a route that is open to anyone."""

    def __init__(
        self,
        app: ASGIApp,
        kept: Kept,
        cache: Cache[CachedResponse],
        query: type[msgspec.Struct] | None = None,
    ) -> None:
        self._app = app
        self._kept = kept
        self._cache = cache
        self._query = query
        # Decoding a query costs as much as the rest of a cached response, and clients send the same few.
        self._canonical: dict[bytes, str] = {b"": ""}
        names = " ".join(kept.names).encode()
        self._names: Headers = [(b"surrogate-key", names), (b"cache-tag", names.replace(b" ", b","))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, query = scope["path"], scope["query_string"]
        if len(path) + len(query) > _LONGEST:
            await self._app(scope, receive, send)
            return
        canonical = self._canonical.get(query)
        if canonical is None:
            canonical = canonical_query(self._query, query)
            if len(self._canonical) >= _MAX_CANONICAL:
                self._canonical = {b"": ""}
            self._canonical[query] = canonical
        key = f"{path}?{canonical}"
        answer = await self._cache.fetch(
            key, lambda: self._load(fill_scope(scope, canonical)), self._kept.names
        )
        if answer.status == NOT_FOUND.status:
            raise Problem(NOT_FOUND, answer.body.decode())
        if self._kept.given is not None:
            self._kept.given()
        headers = [*answer.headers, *self._names]
        tag = next((value for name, value in answer.headers if name == b"etag"), b"")
        if tag and matches(header(scope, b"if-none-match"), tag.decode()):
            left = [each for each in headers if each[0] != b"content-type"]
            await write(send, NOT_MODIFIED, left, b"")
            return
        await write(send, answer.status, headers, answer.body, head=scope["method"] == "HEAD")

    async def _load(self, scope: Scope) -> Loaded[CachedResponse]:
        """Call the route with a request that is nobody's."""
        told = RecordedResponse()

        async def hear(message: Message) -> None:
            told.hear(message)

        try:
            await self._app(scope, _no_body, hear)
        except Problem as problem:
            if problem.kind is not NOT_FOUND:
                raise
            missing = CachedResponse(NOT_FOUND.status, [], problem.detail.encode())
            return Loaded(missing, self._kept.fresh)
        headers = [each for each in told.headers if each[0] != b"content-length"]
        return Loaded(
            CachedResponse(told.status, headers, b"".join(told.body)), self._kept.fresh, self._kept.stale
        )


def answer_cache(redis: Redis) -> Cache[CachedResponse]:
    """The cache of whole answers."""
    decoder = msgspec.msgpack.Decoder(CachedResponse)
    return Cache(redis, "answers", encode=msgspec.msgpack.Encoder().encode, decode=decoder.decode)


def fill_scope(scope: Scope, query: str) -> Scope:
    """The request that fills the cache: of ``scope`` it has the path and what the router made of it, nothing
    that tells one client from another."""
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
        "answer_headers": list(headers),
        "request_id": "",
    }


def canonical_query(kind: type[msgspec.Struct] | None, query: bytes) -> str:
    """The parameters that ``kind`` declares, decoded and in the order of their names; those with their
    default value are left out, because a request without them is the same request.

    Raises :class:`Problem` (422) when ``query`` does not fit ``kind``; no entry is created for it.
    """
    if kind is None:
        return ""
    values: dict[str, Any] = msgspec.to_builtins(read_query(kind, query))
    usual = {field.encode_name: field.default for field in msgspec.structs.fields(kind)}
    return urlencode(sorted((name, value) for name, value in values.items() if value != usual[name]))


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
