"""Admission control: slots and deadlines; over HTTP also rate limits, guessing protection, load headers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from pymongo import _csot
from pymongo.errors import NetworkTimeout
from redis.asyncio import Redis
from starlette.types import Message, Scope

from app.http.client_address import ClientAddresses
from app.http.problems import DEADLINE, Problem
from app.http.routing import Access, Raw, RequestContext, Responder, Response, Routes, Stream
from app.middleware.admission import AdmissionMiddleware
from app.rate_limits import Limiter
from app.rate_limits.policies import RateLimitPolicies
from app.resilience import DeadlineWatchdog
from app.resilience.concurrency_limiter import ConcurrencyLimiter
from app.resilience.deadline import remaining
from tests.app.conftest import Person
from tests.support.backends import Platform, pod

WRONG = {"email": "nobody@example.com", "password": "wrong password"}


@pytest.fixture(scope="module")
def strict(platform: Platform) -> Iterator[str]:
    process = pod("api", platform.folder, platform.settings | {"KINGDOM_LIMITS_FACTOR": "1"})
    process.start()
    platform.wait_until_ready(process)
    yield f"http://127.0.0.1:{process.port}"
    process.kill()


def test_password_guessing_is_limited_per_address(strict: str) -> None:
    def guess(address: str) -> httpx.Response:
        return httpx.post(f"{strict}/v1/sessions", json=WRONG, headers={"x-forwarded-for": address})

    responses = [guess("198.51.100.7") for _ in range(22)]
    assert [response.status_code for response in responses] == [401] * 20 + [429] * 2
    refused = responses[-1]
    assert refused.json()["type"].endswith("#too-many-requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 316
    assert refused.headers["ratelimit-policy"] == '"sign-in";q=20;w=300'
    assert refused.headers["ratelimit"].startswith('"sign-in";r=0;t=')
    assert guess("198.51.100.8").status_code == 401


@pytest.mark.slow
def test_distributed_password_guessing_is_limited_without_locking_out_the_owner(strict: str) -> None:
    email, home = f"{uuid4().hex}@example.com", {"x-forwarded-for": "198.51.100.200"}
    owner = {"email": email, "password": "correct horse battery"}
    signed_up = httpx.post(f"{strict}/v1/accounts", json=owner | {"name": "Ada"}, headers=home)
    assert signed_up.status_code == 202
    signed_in = httpx.post(f"{strict}/v1/sessions", json=owner, headers=home)
    assert signed_in.status_code == 201

    def attempt(body: dict[str, str], address: str) -> int:
        with httpx.Client(base_url=strict, headers={"x-forwarded-for": address}) as client:
            return client.post("/v1/sessions", json=body).status_code

    for victim in (email, f"{uuid4().hex}@example.com"):  # the same without an account
        guesses = [{"email": victim, "password": "wrong password"}] * 70
        addresses = [f"203.0.113.{number}" for number in range(70)]
        with ThreadPoolExecutor(4) as clients:
            found = list(clients.map(attempt, guesses, addresses))
        assert found.count(429) >= 8
        assert set(found) == {401, 429}
    assert attempt(owner, "203.0.113.250") == 429, "an unknown device at an unknown address"
    assert attempt(owner, "198.51.100.200") == 201, "where the owner had signed in before"
    device = {"device_token": signed_in.json()["device_token"]}
    assert attempt(owner | device, "203.0.113.251") == 201, "the owner's device, anywhere"
    forged = {"device_token": "A" * 43}
    assert attempt(owner | forged, "203.0.113.252") == 429


def test_token_guessing_is_limited_per_address(strict: str) -> None:
    bad = {"authorization": "Bearer e30.e30.e30", "x-forwarded-for": "198.51.100.9"}
    # One client for all requests: creating one can take so long that tokens are refilled in the meantime.
    with httpx.Client(base_url=strict, headers=bad) as client:
        statuses = [client.get("/v1/contents").status_code for _ in range(32)]
    assert statuses[:30] == [401] * 30
    assert statuses[-1] == 429


def test_response_has_rate_limit_and_load_headers(ada: Person) -> None:
    response = ada.client.get("/v1/contents")
    assert response.headers["ratelimit"].split(";")[0] in {'"account-free"', '"read-free"', '"address"'}
    assert response.headers["endpoint-load-metrics"].startswith('JSON {"cpu_utilization": ')


def test_trace_is_continued_with_a_new_span(client: httpx.Client) -> None:
    parent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
    version, trace, span, flags = (
        client.get("/livez", headers={"traceparent": parent}).headers["traceparent"].split("-")
    )
    assert (version, trace, flags) == ("00", "0123456789abcdef0123456789abcdef", "01")
    assert span != "0123456789abcdef"


class Body(msgspec.Struct):
    """An empty body."""


class Pod:
    """Admission control of one pod in front of three routes.

    ``in_flight`` are the numbers of occupied slots seen by the handlers and while a body is received.
    """

    def __init__(self, redis: Redis) -> None:
        self.concurrency, self.watchdog = ConcurrencyLimiter(), DeadlineWatchdog()
        protection = SimpleNamespace(
            concurrency=self.concurrency,
            deadlines=self.watchdog,
            limiter=Limiter(redis),
            policies=RateLimitPolicies(),
            client_addresses=ClientAddresses([]),
        )
        services: Any = SimpleNamespace(protection=protection)
        self.in_flight: list[int] = []
        self.sent: list[Message] = []
        self.timeouts: list[float | None] = []
        self.handling = asyncio.Event()
        routes = Routes("/v1", tag="test")

        @routes.get("/wait", access=Access.ANYONE, seconds=5.0)
        async def wait(context: RequestContext) -> Raw:
            """Wait until cancelled."""
            self.in_flight.append(self.concurrency.in_flight)
            self.handling.set()
            await asyncio.Event().wait()
            return Raw(b"")

        @routes.post("/body", access=Access.ANYONE, status=200)
        async def body(context: RequestContext, body: Body) -> None:
            """Take a body."""
            self.in_flight.append(self.concurrency.in_flight)

        @routes.get("/stream", access=Access.ANYONE)
        async def stream(context: RequestContext) -> Response[Stream]:
            """Stream."""
            self.in_flight.append(self.concurrency.in_flight)
            return Response(Stream(self._chunks()))

        @routes.get("/endless", access=Access.ANYONE)
        async def endless(context: RequestContext) -> Response[Stream]:
            """Stream until cancelled."""
            return Response(Stream(self._endless()))

        @routes.get("/database", access=Access.ANYONE)
        async def database(context: RequestContext) -> Raw:
            """Fail as PyMongo does at its timeout, which this reports."""
            self.timeouts.append(_csot.get_timeout())
            raise NetworkTimeout("timed out")

        self.apps = {
            endpoint.path: AdmissionMiddleware(Responder(endpoint, services), endpoint, services)
            for endpoint in routes.endpoints
        }

    async def _chunks(self) -> AsyncGenerator[bytes]:
        self.in_flight.append(self.concurrency.in_flight)
        yield b"chunk"

    async def _endless(self) -> AsyncGenerator[bytes]:
        yield b"chunk"
        self.handling.set()
        await asyncio.Event().wait()

    async def call(self, path: str, *headers: tuple[bytes, bytes]) -> None:
        """Send a request as the router does, in a task of its own."""
        scope: Scope = {
            "type": "http",
            "method": "POST" if path == "/v1/body" else "GET",
            "path": path,
            "query_string": b"",
            "path_params": {},
            "client": ("192.0.2.1", 1),
            "headers": [(b"content-type", b"application/json"), *headers],
            "response_headers": [],
        }

        async def receive() -> Message:
            self.in_flight.append(self.concurrency.in_flight)
            if path in {"/v1/stream", "/v1/endless"}:
                await asyncio.Event().wait()
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message: Message) -> None:
            self.sent.append(message)

        await self.apps[path](scope, receive, send)
        assert remaining() == math.inf, "the deadline ends with the request"


@pytest.fixture
async def local(redis: Redis) -> AsyncIterator[Pod]:
    tested = Pod(redis)
    watching = asyncio.create_task(tested.watchdog.run())
    yield tested
    assert tested.concurrency.in_flight == 0
    assert not tested.watchdog._deadlines
    assert not tested.watchdog._expired
    watching.cancel()


@pytest.mark.anyio
async def test_request_is_cancelled_at_the_deadline_of_the_client(local: Pod) -> None:
    with pytest.raises(Problem, match=r"within 0\.08 s") as raised:
        await local.call("/v1/wait", (b"x-deadline-ms", b"80"))
    assert raised.value.kind is DEADLINE
    assert (local.in_flight, local.watchdog.cancelled) == ([1], 1)


@pytest.mark.anyio
@pytest.mark.parametrize("value", [b"", b"x", b"-1", b"\xb2", b"9" * 400])
async def test_cancelled_request_with_a_deadline_is_not_a_timeout(local: Pod, value: bytes) -> None:
    request = asyncio.create_task(local.call("/v1/wait", (b"x-deadline-ms", value)))
    await local.handling.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request


@pytest.mark.anyio
async def test_slot_is_released_while_a_body_is_received(local: Pod) -> None:
    await local.call("/v1/body")
    assert local.in_flight == [0, 1]
    assert local.sent[0]["status"] == 200


@pytest.mark.anyio
async def test_slot_is_released_while_a_response_is_streamed(local: Pod) -> None:
    await local.call("/v1/stream")
    assert local.in_flight[0] == 1
    assert set(local.in_flight[1:]) == {0}
    assert b"".join(message.get("body", b"") for message in local.sent) == b"chunk"


@pytest.mark.anyio
async def test_cancelled_stream_is_not_a_timeout(local: Pod) -> None:
    """A stream has no deadline, so its cancellation, such as at the end of the server, is passed on."""
    request = asyncio.create_task(local.call("/v1/endless", (b"x-deadline-ms", b"60000")))
    await local.handling.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert local.watchdog.cancelled == 0
    assert [message["status"] for message in local.sent if "status" in message] == [200]


@pytest.mark.anyio
async def test_database_timeout_at_the_deadline_of_the_client_is_a_missed_deadline(local: Pod) -> None:
    with pytest.raises(Problem) as raised:
        await local.call("/v1/database", (b"x-deadline-ms", b"300"))
    assert raised.value.kind is DEADLINE
    with pytest.raises(NetworkTimeout):
        await local.call("/v1/database", (b"x-deadline-ms", b"4000"))
    assert local.timeouts == [0.3, 4.0]


@pytest.mark.anyio
@pytest.mark.parametrize("headers", [[], [(b"x-deadline-ms", b"60000")]])
async def test_long_deadlines_do_not_extend_the_timeouts_of_the_database(
    local: Pod, headers: list[tuple[bytes, bytes]]
) -> None:
    with pytest.raises(NetworkTimeout):
        await local.call("/v1/database", *headers)
    assert local.timeouts == [None]
