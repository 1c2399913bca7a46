"""Request coalescing around a route that responds when the test releases it."""

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
    """Counts its calls, and responds to all of them once it is released."""

    def __init__(self, problem: Problem | None = None) -> None:
        self.calls = 0
        self.open = asyncio.Event()
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        number = self.calls
        await self.open.wait()
        if self._problem is not None:
            raise self._problem
        await write(send, 200, [(b"etag", b'"x"')], b"response %d" % number)


async def nothing() -> Message:
    raise AssertionError("a read has no body")


async def call(app: Any, session: Session = ADA, path: str = "/v1/contents", **more: Any) -> list[Message]:
    received: list[Message] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"].append((b"x-request-id", b"own"))
        received.append(message)

    plain: dict[str, Any] = {"method": "GET", "path": path, "query_string": b"", "headers": []}
    scope = {"session": session, **plain, **more}
    await app(scope, nothing, send)
    return received


def body(received: list[Message]) -> bytes:
    return b"".join(message.get("body", b"") for message in received)


async def together(app: Any, route: Route, *sessions: Session) -> list[asyncio.Task[list[Message]]]:
    tasks = [asyncio.create_task(call(app, session)) for session in sessions]
    await until(lambda: route.calls > 0)
    await asyncio.sleep(0)  # lets the other requests start to wait for the first one
    return tasks


async def test_identical_concurrent_reads_share_one_response() -> None:
    route, in_flight = Route(), InFlightRequests()
    tasks = await together(CoalescingMiddleware(route, in_flight), route, *[ADA] * 10)
    route.open.set()
    results = await asyncio.gather(*tasks)
    assert route.calls == 1
    assert {body(messages) for messages in results} == {b"response 1"}
    assert len(in_flight) == 0
    for messages in results:
        names = [name for name, _ in messages[0]["headers"]]
        assert names.count(b"x-request-id") == 1, "each has headers of its own"


async def test_response_is_not_stored_after_it_was_sent() -> None:
    route = Route()
    route.open.set()
    app = CoalescingMiddleware(route, InFlightRequests())
    assert [body(await call(app)) for _ in range(3)] == [b"response 1", b"response 2", b"response 3"]


@pytest.mark.parametrize(
    "other",
    [
        Session("eve", 0, "one"),
        Session("ada", 0, "two"),
        Session("ada", 0, "one", "studio"),
        Session("ada", 0, "one", "free", ("analyst",)),
    ],
)
async def test_response_is_not_shared_with_another_session(other: Session) -> None:
    route, app = Route(), None
    app = CoalescingMiddleware(route, InFlightRequests())
    tasks = [asyncio.create_task(call(app, session)) for session in (ADA, other)]
    await until(lambda: route.calls == 2)
    route.open.set()
    assert {body(messages) for messages in await asyncio.gather(*tasks)} == {b"response 1", b"response 2"}


@pytest.mark.parametrize(
    "more",
    [
        {"path": "/v1/orders"},
        {"query_string": b"limit=1"},
        {"method": "HEAD"},
        {"headers": [(b"if-none-match", b'"x"')]},
    ],
)
async def test_different_requests_are_not_shared(more: dict[str, Any]) -> None:
    route = Route()
    app = CoalescingMiddleware(route, InFlightRequests())
    tasks = [asyncio.create_task(call(app)), asyncio.create_task(call(app, **more))]
    await until(lambda: route.calls == 2)
    route.open.set()
    await asyncio.gather(*tasks)


async def test_problem_is_shared_too() -> None:
    route = Route(Problem(NOT_FOUND, "No such content."))
    tasks = await together(CoalescingMiddleware(route, InFlightRequests()), route, *[ADA] * 3)
    route.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert route.calls == 1
    assert [isinstance(each, Problem) and each.detail for each in outcomes] == ["No such content."] * 3


async def test_waiting_read_runs_if_the_first_is_cancelled() -> None:
    route, in_flight = Route(), InFlightRequests()
    tasks = await together(CoalescingMiddleware(route, in_flight), route, *[ADA] * 4)
    tasks[0].cancel()
    await until(lambda: route.calls == 2)
    route.open.set()
    results = await asyncio.gather(*tasks[1:])
    assert route.calls == 2
    assert {body(messages) for messages in results} == {b"response 2"}
    assert len(in_flight) == 0


async def test_read_after_a_write_does_not_share_an_earlier_response() -> None:
    route, in_flight = Route(), InFlightRequests()
    reading, writes = CoalescingMiddleware(route, in_flight), Route()
    writes.open.set()
    (early,) = await together(reading, route, ADA)
    await call(InvalidateOnWriteMiddleware(writes, in_flight), method="PUT")
    late = asyncio.create_task(call(reading))
    await until(lambda: route.calls == 2)
    route.open.set()
    assert body(await early) == b"response 1"
    assert body(await late) == b"response 2"
    assert len(in_flight) == 0
