"""Telemetry middleware: identifiers, problem details, limits of the request head, metrics."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from pymongo.errors import AutoReconnect
from starlette.types import Message, Receive, Scope, Send

from app.http.problems import NOT_FOUND, Problem
from app.http.requests import read_body
from app.http.responses import write
from app.middleware import telemetry
from app.middleware.telemetry import TelemetryMiddleware
from app.telemetry.error_groups import ErrorGroups
from app.telemetry.http_metrics import HttpMetrics

pytestmark = pytest.mark.anyio


class Server:
    """Calls the middleware as a server does and collects the response."""

    def __init__(self, error: Exception | None = None, load: Callable[[], bytes] = lambda: b"") -> None:
        self.error, self.metrics, self.groups = error, HttpMetrics(), ErrorGroups()
        self.app = TelemetryMiddleware(self.route, "https://api", self.metrics, self.groups, load)
        self.started = False

    async def route(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = "/v1/feed"
        if self.started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        if self.error is not None:
            raise self.error
        await write(send, 200, [], b"ok")

    async def get(
        self, *headers: tuple[bytes, bytes], path: str = "/v1/feed", query: bytes = b""
    ) -> tuple[int, dict[str, str]]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope: Scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": query,
            "headers": list(headers),
            "named_headers": dict(headers),
        }
        await self.app(scope, receive, send)
        start = next(message for message in sent if message["type"] == "http.response.start")
        return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}


async def test_valid_identifiers_are_propagated_and_others_replaced() -> None:
    trace = b"a" * 32
    parent = (b"traceparent", b"00-" + trace + b"-" + b"b" * 16 + b"-01")
    _, headers = await Server().get((b"x-request-id", b"request-1"), parent)
    assert headers["x-request-id"] == "request-1"
    assert re.fullmatch(rf"00-{'a' * 32}-[0-9a-f]{{16}}-01", headers["traceparent"])
    zeros = (b"traceparent", b"00-" + b"0" * 32 + b"-" + b"b" * 16 + b"-01")
    _, headers = await Server().get((b"x-request-id", b'x","severity":"'), zeros)
    assert re.fullmatch(r"[0-9a-f]{32}", headers["x-request-id"])
    assert headers["traceparent"].split("-")[1] == headers["x-request-id"]


async def test_response_carries_timing_and_load_report() -> None:
    _, headers = await Server(load=lambda: b"JSON {}").get()
    assert re.fullmatch(r"app;dur=\d+\.\d\d", headers["server-timing"])
    assert headers["endpoint-load-metrics"] == "JSON {}"
    assert "endpoint-load-metrics" not in (await Server().get())[1]


@pytest.mark.parametrize(
    ("error", "status"),
    [(Problem(NOT_FOUND), 404), (AutoReconnect("x"), 503), (ValueError("defect"), 500)],
)
async def test_exceptions_become_problem_details(error: Exception, status: int) -> None:
    server = Server(error)
    code, headers = await server.get()
    assert (code, headers["content-type"]) == (status, "application/problem+json")
    assert bool(server.groups.latest()) == (status == 500), "only defects are grouped"


async def test_started_response_is_aborted_after_a_defect() -> None:
    server = Server(ValueError("defect"))
    server.started = True
    with pytest.raises(ValueError, match="defect"):
        await server.get()


async def test_request_head_is_accepted_at_its_limit_and_rejected_above() -> None:
    name = b"x-padding"
    at = telemetry.MAX_HEADER_BYTES - len(name)
    assert (await Server().get((name, b"a" * at)))[0] == 200
    assert (await Server().get((name, b"a" * (at + 1))))[0] == 431
    query = b"a" * (telemetry.MAX_URI_LENGTH - len("/v1/feed"))
    assert (await Server().get(query=query))[0] == 200
    assert (await Server().get(query=query + b"a"))[0] == 414


async def test_second_host_header_is_rejected() -> None:
    assert (await Server().get((b"host", b"a"), (b"x-a", b"1"), (b"x-a", b"2")))[0] == 200
    assert (await Server().get((b"host", b"a"), (b"host", b"b")))[0] == 400


async def test_finished_requests_are_measured_by_route() -> None:
    server = Server()
    await server.get()
    samples = [sample for family in server.metrics.collect() for sample in family.samples]
    counts = [each for each in samples if each.name.endswith("_count")]
    assert [(each.labels["route"], each.labels["status"], each.value) for each in counts] == [
        ("/v1/feed", "200", 1)
    ]


async def test_time_for_which_a_body_arrives_is_not_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise clients that send slowly would scale the service up and raise its alerts."""
    now = 0.0
    clock = SimpleNamespace(perf_counter=lambda: now, monotonic=lambda: now)
    monkeypatch.setattr("app.http.requests.time", clock)
    monkeypatch.setattr("app.middleware.telemetry.time", clock)

    async def receive() -> Message:
        nonlocal now
        now += 7.0
        return {"type": "http.request", "body": b"x", "more_body": now < 20}

    async def send(message: Message) -> None:
        pass

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal now
        scope["route"] = "/v1/uploads"
        assert await read_body(scope, receive, 10) == b"xxx"
        now += 0.25
        await write(send, 200, [], b"ok")

    metrics = HttpMetrics()
    app = TelemetryMiddleware(route, "", metrics, ErrorGroups(), lambda: b"")
    headers: list[tuple[bytes, bytes]] = []
    scope = {"type": "http", "method": "POST", "path": "/v1/uploads", "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    samples = [sample for family in metrics.collect() for sample in family.samples]
    assert [each.value for each in samples if each.name.endswith("_sum")] == [0.25]


async def test_other_connections_are_passed_through() -> None:
    passed: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope["type"])

    middleware = TelemetryMiddleware(app, "", HttpMetrics(), ErrorGroups(), lambda: b"")

    async def receive() -> Message:
        raise AssertionError("not called")

    async def send(message: Message) -> None:
        raise AssertionError("not called")

    await middleware({"type": "lifespan"}, receive, send)
    assert passed == ["lifespan"]
