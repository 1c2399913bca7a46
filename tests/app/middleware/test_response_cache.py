"""Response cache: around a counting route on a real Redis, and over HTTP."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Annotated, Any
from urllib.parse import urlencode

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Meta
from redis.asyncio import Redis
from starlette.types import Message, Receive, Scope, Send

from app.http.problems import INVALID, NOT_FOUND, Problem
from app.http.requests import header, raw_header
from app.http.responses import Headers, encode, write_json
from app.middleware.response_cache import CachePolicy, ResponseCacheMiddleware, response_cache
from app.resilience import deadline_at, remaining
from tests.app.conftest import Person
from tests.support.backends import wait_for

FEED = CachePolicy(fresh=60, stale=60, names=("feed",))


class Query(msgspec.Struct):
    """The parameters that the route of these tests declares."""

    limit: Annotated[int, Meta(ge=1)] = 20
    cursor: str = ""


class Route:
    def __init__(self, problem: Problem | None = None) -> None:
        self.calls = 0
        self.problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        await asyncio.sleep(0)
        if self.problem is not None:
            raise self.problem
        number = {"number": self.calls, "query": scope["query_string"].decode()}
        headers = [(b"cache-control", b"public, max-age=1")]
        await write_json(scope, send, 200, headers, encode(number), tagged=True)


class Reflecting:
    """A route that returns everything that it can read of a request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shown = {
            "method": scope["method"],
            "query": scope["query_string"].decode(),
            "headers": repr(scope["headers"]),
            "by_name": [header(scope, name) for name in (b"host", b"range", b"origin", b"accept")],
            "client": repr(scope.get("client")),
            "session": repr(scope.get("session")),
            "body": repr(await receive()),
            "left": remaining(),
        }
        await write_json(scope, send, 200, [], repr(shown).encode(), tagged=True)


async def ask(
    app: Any, query: str = "", method: str = "GET", **headers: str
) -> tuple[int, dict[bytes, bytes], bytes]:
    names = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return await call(app, query, method, names)


async def call(
    app: Any, query: str, method: str, headers: list[tuple[bytes, bytes]]
) -> tuple[int, dict[bytes, bytes], bytes]:
    received: list[Message] = []

    async def send(message: Message) -> None:
        received.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"sent by a client", "more_body": False}

    scope: Scope = {"method": method, "path": "/v1/feed", "query_string": query.encode(), "headers": headers}
    added: Headers = []
    scope.update(response_headers=added, client=("203.0.113.9", 1), session=object())
    raw_header(scope, b"x-request-id")  # as the outermost middleware does: it indexes the headers
    await app(scope, receive, send)
    return received[0]["status"], dict(received[0]["headers"]), received[1]["body"]


@pytest.mark.anyio
async def test_response_is_cached_with_its_entity_tag_and_cache_tags(redis: Redis) -> None:
    route = Route()
    app = ResponseCacheMiddleware(route, FEED, response_cache(redis))
    results = await asyncio.gather(*(ask(app) for _ in range(20)))
    assert route.calls == 1
    assert len({body for _, _, body in results}) == 1
    _, headers, body = results[0]
    assert headers[b"surrogate-key"] == headers[b"cache-tag"] == b"feed"
    assert int(headers[b"content-length"]) == len(body)
    status, again, empty = await ask(app, if_none_match=headers[b"etag"].decode())
    assert (status, empty, again[b"etag"]) == (304, b"", headers[b"etag"])
    assert b"content-type" not in again
    status, head, empty = await ask(app, method="HEAD")
    assert (status, empty, head[b"content-length"]) == (200, b"", headers[b"content-length"])
    assert route.calls == 1


@pytest.mark.anyio
async def test_a_conditional_request_that_fills_the_cache_stores_a_full_response(redis: Redis) -> None:
    """Outer middleware leaves an index of the headers in the scope, which must not expose others."""
    route = Route()
    app = ResponseCacheMiddleware(route, FEED, response_cache(redis))
    status, headers, _ = await ask(app, method="HEAD", if_none_match="*", authorization="Bearer x")
    assert status == 304
    status, full, body = await ask(app)
    assert (status, full[b"etag"]) == (200, headers[b"etag"])
    assert body


_NAMES = st.sampled_from(
    [
        "if-none-match",
        "if-match",
        "if-modified-since",
        "if-unmodified-since",
        "range",
        "if-range",
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "cookie",
        "origin",
        "host",
        "content-type",
        "content-length",
        "x-deadline-ms",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method-override",
        "x-request-id",
        "traceparent",
        "idempotency-key",
        "last-event-id",
        "user-agent",
        "cache-control",
        "pragma",
        "te",
    ]
) | st.from_regex(r"[a-z][a-z-]{1,15}", fullmatch=True)
_VALUES = st.sampled_from(
    ["*", '"x"', 'W/"x"', "bytes=0-0", "bytes=9-", "0", "1", "POST", "no-cache", "gzip", "https://evil.test"]
) | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
_EXTRA = st.lists(
    st.tuples(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(max_size=8)), max_size=3
).map(lambda pairs: [pair for pair in pairs if pair[0] not in {"limit", "cursor"}])


@pytest.mark.anyio
async def test_unkeyed_input_does_not_change_the_cached_response(redis: Redis) -> None:
    """A cached response is byte for byte the one that a plain request would have stored."""
    reflected = Reflecting()
    cache = response_cache(redis)
    plain = ResponseCacheMiddleware(reflected, FEED, response_cache(redis), Query)
    _, honest_headers, honest = await ask(plain, "limit=7")
    loop = asyncio.get_running_loop()

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        method=st.sampled_from(["GET", "HEAD"]),
        headers=st.lists(st.tuples(_NAMES, _VALUES), max_size=5),
        spelling=st.sampled_from(["limit=7", "limit=%37", "limit=7&cursor=", "cursor=&limit=7"]),
        extra=_EXTRA,
    )
    def poison(
        method: str, headers: list[tuple[str, str]], spelling: str, extra: list[tuple[str, str]]
    ) -> None:
        names = {name for name, _ in extra}
        query = spelling if len(names) < len(extra) else "&".join([spelling, urlencode(extra)]).strip("&")

        async def attack() -> None:
            await cache.invalidate("feed")
            given = [(name.encode(), value.encode()) for name, value in headers]
            await asyncio.wait_for(call(app, query, method, given), 5)
            status, found, body = await ask(app, "limit=7")
            assert (status, body) == (200, honest)
            assert found[b"etag"] == honest_headers[b"etag"]

        app = ResponseCacheMiddleware(reflected, FEED, cache, Query)
        asyncio.run_coroutine_threadsafe(attack(), loop).result(20)

    await asyncio.to_thread(poison)


@pytest.mark.anyio
async def test_spellings_of_one_request_share_an_entry_and_others_do_not(redis: Redis) -> None:
    route = Route()
    app = ResponseCacheMiddleware(route, FEED, response_cache(redis), Query)
    first = await ask(app, "limit=1&cursor=x")
    for same in ("cursor=x&limit=1", "cursor=x&limit=%31", "limit=1&cursor=x&utm=1"):
        assert await ask(app, same) == first
    assert route.calls == 1
    others = ["limit=2&cursor=x", "limit=1", "limit=1&cursor=y", "cursor=limit%3D1%26cursor%3Dx"]
    bodies = {(await ask(app, query))[2] for query in others}
    assert len(bodies) == len(others)
    with pytest.raises(Problem, match="repeated"):
        await ask(app, "limit=1&limit=2")
    calls = route.calls
    assert (await ask(app))[2] == (await ask(app, "limit=20"))[2]
    assert route.calls == calls + 1


@pytest.mark.anyio
async def test_deadline_of_one_client_does_not_limit_a_shared_load(redis: Redis) -> None:
    seen: list[float] = []

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(remaining())
        await write_json(scope, send, 200, [], b"{}", tagged=True)

    with deadline_at(time.monotonic() + 0.05):
        await ask(ResponseCacheMiddleware(route, FEED, response_cache(redis), Query))
    assert seen == [math.inf]


@pytest.mark.anyio
async def test_not_found_is_cached_and_other_errors_are_not(redis: Redis) -> None:
    missing, wrong = Route(Problem(NOT_FOUND, "gone")), Route(Problem(INVALID, "odd"))
    cache = response_cache(redis)
    for _ in range(3):
        with pytest.raises(Problem, match="gone"):
            await ask(ResponseCacheMiddleware(missing, FEED, cache, Query), "limit=1")
        with pytest.raises(Problem, match="odd"):
            await ask(ResponseCacheMiddleware(wrong, FEED, cache, Query), "limit=2")
    assert (missing.calls, wrong.calls) == (1, 3)


@pytest.mark.anyio
async def test_invalidated_tag_removes_its_responses(redis: Redis) -> None:
    route, cache = Route(), response_cache(redis)
    app = ResponseCacheMiddleware(route, FEED, cache)
    await ask(app)
    await cache.invalidate("other")
    await ask(app)
    assert route.calls == 1
    await cache.invalidate("feed")
    await ask(app)
    assert route.calls == 2


@pytest.mark.anyio
async def test_long_urls_are_not_cached(redis: Redis) -> None:
    route, cache = Route(), response_cache(redis)
    app = ResponseCacheMiddleware(route, FEED, cache)
    await ask(app, "x=" + "y" * 600)
    await ask(app, "x=" + "y" * 600)
    assert route.calls == 2
    assert len(cache.memory) == 0


def test_feed_is_cached_and_withdrawn_items_disappear_at_once(ada: Person, client: httpx.Client) -> None:
    content = ada.create("a kept page")["id"]
    ada.finished(content)
    assert ada.client.put(f"/v1/contents/{content}/publication").status_code == 200
    wait_for("the piece in the feed", lambda: client.get(f"/v1/feed/{content}").status_code == 200)
    page = client.get("/v1/feed", params={"limit": 100})
    assert page.headers["surrogate-key"] == "feed"
    assert page.headers["cache-control"].startswith("public, max-age=1")
    same = client.get("/v1/feed", params={"limit": 100}, headers={"if-none-match": page.headers["etag"]})
    assert same.status_code in {200, 304}
    signed_in = ada.client.get(f"/v1/feed/{content}")
    assert signed_in.headers["x-request-id"] != client.get(f"/v1/feed/{content}").headers["x-request-id"]
    assert ada.client.delete(f"/v1/contents/{content}/publication").status_code == 204
    assert client.get(f"/v1/feed/{content}").status_code == 404
    listed = client.get("/v1/feed", params={"limit": 100}).json()["items"]
    assert content not in {item["id"] for item in listed}
