"""Whole answers kept: around a route that counts, on a real Redis; and over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from starlette.types import Message, Receive, Scope, Send

from app.http.problems import INVALID, NOT_FOUND, Problem
from app.http.responses import encode, write_json
from app.middleware.response_cache import Keeping, Kept, answer_cache
from tests.app.conftest import Person
from tests.support.backends import wait_for

FEED = Kept(fresh=60, stale=60, names=("feed",))


class Route:
    def __init__(self, problem: Problem | None = None) -> None:
        self.asked = 0
        self.problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.problem is not None:
            raise self.problem
        number = {"number": self.asked, "query": scope["query_string"].decode()}
        headers = [(b"cache-control", b"public, max-age=1")]
        await write_json(scope, send, 200, headers, encode(number), tagged=True)


async def ask(
    app: Any, query: str = "", method: str = "GET", **headers: str
) -> tuple[int, dict[bytes, bytes], bytes]:
    heard: list[Message] = []

    async def send(message: Message) -> None:
        heard.append(message)

    async def receive() -> Message:
        raise AssertionError("a read has no body")

    names = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"method": method, "path": "/v1/feed", "query_string": query.encode(), "headers": names}
    await app({**scope, "answer_headers": []}, receive, send)
    return heard[0]["status"], dict(heard[0]["headers"]), heard[1]["body"]


@pytest.mark.anyio
async def test_an_answer_is_kept_with_its_tag_and_its_names(redis: Redis) -> None:
    route = Route()
    app = Keeping(route, FEED, answer_cache(redis))
    answers = await asyncio.gather(*(ask(app) for _ in range(20)))
    assert route.asked == 1
    assert len({body for _, _, body in answers}) == 1
    _, headers, body = answers[0]
    assert headers[b"surrogate-key"] == headers[b"cache-tag"] == b"feed"
    assert int(headers[b"content-length"]) == len(body)
    status, again, empty = await ask(app, if_none_match=headers[b"etag"].decode())
    assert (status, empty, again[b"etag"]) == (304, b"", headers[b"etag"])
    assert b"content-type" not in again
    status, head, empty = await ask(app, method="HEAD")
    assert (status, empty, head[b"content-length"]) == (200, b"", headers[b"content-length"])
    assert route.asked == 1


@pytest.mark.anyio
async def test_the_first_to_ask_does_not_decide_what_others_get(redis: Redis) -> None:
    route = Route()
    app = Keeping(route, FEED, answer_cache(redis))
    status, headers, _ = await ask(app, method="HEAD", if_none_match="*", authorization="Bearer x")
    assert status == 304
    status, full, body = await ask(app)
    assert (status, full[b"etag"]) == (200, headers[b"etag"])
    assert body


@pytest.mark.anyio
async def test_the_order_of_a_query_does_not_matter_and_everything_else_does(redis: Redis) -> None:
    route = Route()
    app = Keeping(route, FEED, answer_cache(redis))
    first = await ask(app, "limit=1&cursor=x")
    assert await ask(app, "cursor=x&limit=1") == first
    assert await ask(app, "cursor=x&limit=%31") == first
    others = ["limit=2&cursor=x", "limit=1", "limit=1&limit=2", "limit=2&limit=1", "limit=1%26cursor=x"]
    bodies = {(await ask(app, query))[2] for query in others}
    assert len(bodies) == len(others)


@pytest.mark.anyio
async def test_what_is_not_there_is_kept_and_what_is_wrong_is_not(redis: Redis) -> None:
    missing, wrong = Route(Problem(NOT_FOUND, "gone")), Route(Problem(INVALID, "odd"))
    cache = answer_cache(redis)
    for _ in range(3):
        with pytest.raises(Problem, match="gone"):
            await ask(Keeping(missing, FEED, cache), "a=1")
        with pytest.raises(Problem, match="odd"):
            await ask(Keeping(wrong, FEED, cache), "b=1")
    assert (missing.asked, wrong.asked) == (1, 3)


@pytest.mark.anyio
async def test_a_name_that_is_invalidated_takes_its_answers_along(redis: Redis) -> None:
    route, cache = Route(), answer_cache(redis)
    app = Keeping(route, FEED, cache)
    await ask(app)
    await cache.invalidate("other")
    await ask(app)
    assert route.asked == 1
    await cache.invalidate("feed")
    await ask(app)
    assert route.asked == 2


@pytest.mark.anyio
async def test_long_addresses_fill_no_cache(redis: Redis) -> None:
    route, cache = Route(), answer_cache(redis)
    app = Keeping(route, FEED, cache)
    await ask(app, "x=" + "y" * 600)
    await ask(app, "x=" + "y" * 600)
    assert route.asked == 2
    assert len(cache.memory) == 0


def test_the_feed_is_kept_for_everybody_and_what_is_withdrawn_is_gone_at_once(
    ada: Person, client: httpx.Client
) -> None:
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
