"""The same question at the same time, answered once: around a route that answers when the test lets it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.auth.tokens import Session
from app.http.problems import NOT_FOUND, Problem
from app.http.responses import write
from app.middleware.coalescing import CoalescingMiddleware, InFlightRequests, InvalidateOnWriteMiddleware
from tests.support.backends import until

pytestmark = pytest.mark.anyio

ADA = Session("ada", 0, "one")


class Route:
    """Counts who comes through, and answers all of them once it is opened."""

    def __init__(self, problem: Problem | None = None) -> None:
        self.asked = 0
        self.open = asyncio.Event()
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        number = self.asked
        await self.open.wait()
        if self._problem is not None:
            raise self._problem
        await write(send, 200, [(b"etag", b'"x"')], b"answer %d" % number)


async def nothing() -> Message:
    raise AssertionError("a read has no body")


async def ask(app: Any, session: Session = ADA, path: str = "/v1/contents", **more: Any) -> list[Message]:
    heard: list[Message] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"].append((b"x-request-id", b"own"))
        heard.append(message)

    plain: dict[str, Any] = {"method": "GET", "path": path, "query_string": b"", "headers": []}
    scope = {"session": session, **plain, **more}
    await app(scope, nothing, send)
    return heard


def body(heard: list[Message]) -> bytes:
    return b"".join(message.get("body", b"") for message in heard)


async def together(app: Any, route: Route, *sessions: Session) -> list[asyncio.Task[list[Message]]]:
    tasks = [asyncio.create_task(ask(app, session)) for session in sessions]
    await until(lambda: route.asked > 0)
    await asyncio.sleep(0)  # those behind the first have come as far as they get
    return tasks


async def test_the_same_question_at_the_same_time_is_answered_once() -> None:
    route, board = Route(), InFlightRequests()
    tasks = await together(CoalescingMiddleware(route, board), route, *[ADA] * 10)
    route.open.set()
    answers = await asyncio.gather(*tasks)
    assert route.asked == 1
    assert {body(answer) for answer in answers} == {b"answer 1"}
    assert len(board) == 0
    for answer in answers:
        names = [name for name, _ in answer[0]["headers"]]
        assert names.count(b"x-request-id") == 1, "each has headers of its own"


async def test_nothing_is_kept_when_the_answer_is_out() -> None:
    route = Route()
    route.open.set()
    app = CoalescingMiddleware(route, InFlightRequests())
    assert [body(await ask(app)) for _ in range(3)] == [b"answer 1", b"answer 2", b"answer 3"]


@pytest.mark.parametrize(
    "other",
    [
        Session("eve", 0, "one"),
        Session("ada", 0, "two"),
        Session("ada", 0, "one", "studio"),
        Session("ada", 0, "one", "free", ("analyst",)),
    ],
)
async def test_another_caller_never_gets_the_answer(other: Session) -> None:
    route, app = Route(), None
    app = CoalescingMiddleware(route, InFlightRequests())
    tasks = [asyncio.create_task(ask(app, session)) for session in (ADA, other)]
    await until(lambda: route.asked == 2)
    route.open.set()
    assert {body(answer) for answer in await asyncio.gather(*tasks)} == {b"answer 1", b"answer 2"}


@pytest.mark.parametrize(
    "more",
    [
        {"path": "/v1/orders"},
        {"query_string": b"limit=1"},
        {"method": "HEAD"},
        {"headers": [(b"if-none-match", b'"x"')]},
    ],
)
async def test_another_question_gets_its_own_answer(more: dict[str, Any]) -> None:
    route = Route()
    app = CoalescingMiddleware(route, InFlightRequests())
    tasks = [asyncio.create_task(ask(app)), asyncio.create_task(ask(app, **more))]
    await until(lambda: route.asked == 2)
    route.open.set()
    await asyncio.gather(*tasks)


async def test_a_refusal_is_shared_too() -> None:
    route = Route(Problem(NOT_FOUND, "No such content."))
    tasks = await together(CoalescingMiddleware(route, InFlightRequests()), route, *[ADA] * 3)
    route.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert route.asked == 1
    assert [isinstance(each, Problem) and each.detail for each in outcomes] == ["No such content."] * 3


async def test_when_the_first_goes_away_another_asks() -> None:
    route, board = Route(), InFlightRequests()
    tasks = await together(CoalescingMiddleware(route, board), route, *[ADA] * 4)
    tasks[0].cancel()
    await until(lambda: route.asked == 2)
    route.open.set()
    answers = await asyncio.gather(*tasks[1:])
    assert route.asked == 2
    assert {body(answer) for answer in answers} == {b"answer 2"}
    assert len(board) == 0


async def test_who_asks_after_a_write_does_not_get_what_was_asked_before_it() -> None:
    route, board = Route(), InFlightRequests()
    reading, writes = CoalescingMiddleware(route, board), Route()
    writes.open.set()
    (early,) = await together(reading, route, ADA)
    await ask(InvalidateOnWriteMiddleware(writes, board), method="PUT")
    late = asyncio.create_task(ask(reading))
    await until(lambda: route.asked == 2)
    route.open.set()
    assert body(await early) == b"answer 1"
    assert body(await late) == b"answer 2"
    assert len(board) == 0
