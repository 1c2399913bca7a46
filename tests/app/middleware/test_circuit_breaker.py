"""A route whose dependency is gone is left alone, and tried again."""

from __future__ import annotations

import contextlib

import pytest
from pymongo.errors import AutoReconnect
from starlette.types import Receive, Scope, Send

from app.http.problems import NOT_FOUND, UNAVAILABLE, Problem
from app.middleware.circuit_breaker import CircuitBreakerMiddleware
from tests.support.backends import until

pytestmark = pytest.mark.anyio


class Route:
    """A route that fails as it is told to; ``asked`` counts."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error


async def receive() -> dict[str, object]:
    raise AssertionError("nothing is read here")


async def send(message: object) -> None:
    raise AssertionError("nothing is answered here")


async def test_after_a_few_outages_it_refuses_at_once_until_one_try_goes_well() -> None:
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
    assert route.asked == 3
    route.error = None

    async def answers() -> bool:
        with contextlib.suppress(Problem):
            await breaking({}, receive, send)
            return True
        return False

    await until(answers)
    await breaking({}, receive, send)


@pytest.mark.parametrize("error", [Problem(NOT_FOUND), KeyError("a fault of ours")], ids=repr)
async def test_what_is_no_outage_breaks_nothing(error: Exception) -> None:
    route = Route()
    breaking = CircuitBreakerMiddleware(route, "GET /v1/things")
    route.error = error
    for _ in range(50):
        with pytest.raises(type(error)):
            await breaking({}, receive, send)
    assert route.asked == 50
