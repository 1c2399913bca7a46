"""Route breakers: open during outages, close after a successful probe."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest
from pymongo.errors import AutoReconnect, NetworkTimeout
from starlette.types import Receive, Scope, Send

from app.http.problems import NOT_FOUND, UNAVAILABLE, Problem
from app.middleware.circuit_breaker import CircuitBreakerMiddleware
from app.resilience.deadline import deadline_at
from tests.support.backends import until

pytestmark = pytest.mark.anyio


class Route:
    """A route that raises the configured error and counts its calls."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        if self.error is not None:
            raise self.error


async def receive() -> dict[str, object]:
    raise AssertionError("nothing is read here")


async def send(message: object) -> None:
    raise AssertionError("nothing is sent here")


async def test_outages_open_the_breaker_until_a_probe_succeeds() -> None:
    route = Route()
    breaking = CircuitBreakerMiddleware(route, "GET /v1/things")
    route.error = AutoReconnect("gone")
    for _ in range(3):
        with pytest.raises(AutoReconnect):
            await breaking({}, receive, send)
    with pytest.raises(Problem) as refusal:
        await breaking({}, receive, send)
    assert refusal.value.kind is UNAVAILABLE
    assert int(refusal.value.headers["retry-after"]) >= 1
    assert route.calls == 3
    route.error = None

    async def responses() -> bool:
        with contextlib.suppress(Problem):
            await breaking({}, receive, send)
            return True
        return False

    await until(responses)
    await breaking({}, receive, send)


@pytest.mark.parametrize("error", [Problem(NOT_FOUND), KeyError("a fault of ours")], ids=repr)
async def test_other_errors_do_not_open_the_breaker(error: Exception) -> None:
    route = Route()
    breaking = CircuitBreakerMiddleware(route, "GET /v1/things")
    route.error = error
    for _ in range(50):
        with pytest.raises(type(error)):
            await breaking({}, receive, send)
    assert route.calls == 50


async def test_deadlines_that_clients_choose_do_not_open_the_breaker() -> None:
    route = Route()
    breaking = CircuitBreakerMiddleware(route, "GET /v1/things")
    route.error = NetworkTimeout("timed out")
    for _ in range(50):
        with deadline_at(time.monotonic() + 0.01), pytest.raises(NetworkTimeout):
            await breaking({}, receive, send)
    assert route.calls == 50
    for _ in range(4):
        with deadline_at(time.monotonic() + 60), pytest.raises((NetworkTimeout, Problem)):
            await breaking({}, receive, send)
    assert route.calls == 53, "a timeout long before the deadline is one of the backend"


async def test_lost_connections_near_a_deadline_open_the_breaker() -> None:
    route = Route()
    breaking = CircuitBreakerMiddleware(route, "GET /v1/things")
    route.error = AutoReconnect("gone")
    with deadline_at(time.monotonic() + 0.01):
        for _ in range(4):
            with pytest.raises((AutoReconnect, Problem)):
                await breaking({}, receive, send)
    assert route.calls == 3


async def test_stream_that_a_client_does_not_read_is_a_finished_probe() -> None:
    """A stream lasts as long as its client reads; other requests must not be refused meanwhile."""
    route = Route()
    route.error = AutoReconnect("gone")
    ends = asyncio.Event()

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await route(scope, receive, send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await ends.wait()

    async def accept(message: object) -> None:
        pass

    breaking = CircuitBreakerMiddleware(stream, "GET /v1/things")
    for _ in range(3):
        with pytest.raises(AutoReconnect):
            await breaking({}, receive, accept)
    route.error = None
    streams = [asyncio.create_task(breaking({}, receive, accept))]

    async def admitted() -> bool:
        await asyncio.sleep(0)
        if streams[-1].done():
            assert isinstance(streams[-1].exception(), Problem)
            streams[-1] = asyncio.create_task(breaking({}, receive, accept))
            return False
        return True

    await until(admitted)
    streams.append(asyncio.create_task(breaking({}, receive, accept)))
    await asyncio.sleep(0)
    assert not streams[-1].done()
    ends.set()
    await asyncio.gather(*streams)
