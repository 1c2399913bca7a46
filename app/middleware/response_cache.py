"""Whole answers kept, for reads that are the same for everybody (MID1).

What is kept is the rendered answer, entity tag included, in the process and in Redis, under the route, its
path and its query in a fixed order; nothing else of a request may decide such an answer, so there is nothing
to vary by. Answers carry their names as ``Surrogate-Key`` and ``Cache-Tag``: the same names that invalidate
here purge the edge. "Not there" is kept like an answer; other errors are not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.cache import Cache, Loaded
from app.http.problems import NOT_FOUND, Problem
from app.http.requests import header
from app.http.responses import NOT_MODIFIED, Headers, matches, write
from app.middleware.coalescing import Told

if TYPE_CHECKING:
    from redis.asyncio import Redis

_LONGEST: Final = 512  # a longer address is not worth a key: the route will refuse it


@dataclass(frozen=True)
class Kept:
    """How an answer is kept: seconds it is fresh, then stale; the names that invalidate it; and who hears
    that it was given out.
    """

    fresh: float
    stale: float
    names: tuple[str, ...]
    given: Callable[[], None] | None = None


class KeptAnswer(msgspec.Struct, frozen=True, array_like=True):
    """An answer; status 404 stands for "not there" with ``body`` as its detail."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Keeping:
    """In front of a route that is open to anyone."""

    def __init__(self, app: ASGIApp, kept: Kept, cache: Cache[KeptAnswer]) -> None:
        self._app = app
        self._kept = kept
        self._cache = cache
        names = " ".join(kept.names).encode()
        self._names: Headers = [(b"surrogate-key", names), (b"cache-tag", names.replace(b" ", b","))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, query = scope["path"], scope["query_string"]
        if len(path) + len(query) > _LONGEST:
            await self._app(scope, receive, send)
            return
        key = f"{path}?{_ordered(query)}"
        answer = await self._cache.fetch(key, lambda: self._load(scope, receive), self._kept.names)
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

    async def _load(self, scope: Scope, receive: Receive) -> Loaded[KeptAnswer]:
        """Ask the route, as if by a GET of somebody who has nothing yet."""
        told = Told()

        async def hear(message: Message) -> None:
            told.hear(message)

        nothing: Headers = []
        plain = {**scope, "method": "GET", "headers": nothing, "answer_headers": list(nothing)}
        try:
            await self._app(plain, receive, hear)
        except Problem as problem:
            if problem.kind is not NOT_FOUND:
                raise
            missing = KeptAnswer(NOT_FOUND.status, [], problem.detail.encode())
            return Loaded(missing, self._kept.fresh)
        headers = [each for each in told.headers if each[0] != b"content-length"]
        return Loaded(
            KeptAnswer(told.status, headers, b"".join(told.body)), self._kept.fresh, self._kept.stale
        )


def answer_cache(redis: Redis) -> Cache[KeptAnswer]:
    """The cache of whole answers."""
    decoder = msgspec.msgpack.Decoder(KeptAnswer)
    return Cache(redis, "answers", encode=msgspec.msgpack.Encoder().encode, decode=decoder.decode)


def _ordered(query: bytes) -> str:
    """The query with its names in order; of a name that stands twice the order decides, so it stays."""
    if not query:
        return ""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return urlencode(sorted(pairs, key=itemgetter(0)))
