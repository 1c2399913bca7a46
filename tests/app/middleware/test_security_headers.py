"""What every answer carries, good or bad, over HTTP and over plain sockets."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from app.resilience.deadline import deadline_at
from app.telemetry import context
from app.telemetry.tracing import add_headers
from tests.app.conftest import Person
from tests.support.backends import Platform, pod, wait_for

SECURE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
}


def raw(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """What a server says to bytes that no client library would send."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            piece = connection.recv(65536)
            assert piece, received
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers.get("content-length", "0")):
            body += connection.recv(65536)
        return int(status.split()[1]), headers, body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/feed", 200),
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/feed", 405),
        ("OPTIONS", "/v1/feed", 405),
        ("GET", "/v1/contents", 401),
        ("POST", "/v1/sessions", 415),
        ("GET", "/v1/feed?limit=0", 422),
        ("GET", "/livez", 200),
    ],
)
def test_good_answers_and_bad_ones_carry_the_secure_headers(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert {name: answer.headers[name] for name in SECURE} == SECURE
    assert answer.headers["x-request-id"]
    assert re.fullmatch(r"app;dur=\d+\.\d\d", answer.headers["server-timing"])
    assert "cache-control" in answer.headers
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"


def test_two_host_headers_are_refused(platform: Platform) -> None:
    twice = b"GET /v1/feed HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"
    status, headers, body = raw(platform.api.port, twice)
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert json.loads(body)["type"].endswith("#malformed")


def test_a_malformed_chunked_body_is_a_malformed_request(platform: Platform) -> None:
    head = b"POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    broken = head + b"transfer-encoding: chunked\r\n\r\nnot a size\r\n\r\n"
    status, _, _ = raw(platform.api.port, broken)
    assert status == 400


def test_a_head_or_an_address_that_is_too_large_is_told_so(platform: Platform) -> None:
    port = platform.api.port
    large = b"GET /v1/feed HTTP/1.1\r\nhost: x\r\nx-large: %s\r\n\r\n" % (b"a" * 17_000)
    status, headers, body = raw(port, large)
    assert (status, headers["content-type"]) == (431, "application/problem+json")
    assert json.loads(body)["type"].endswith("#head-too-large")
    long = b"GET /v1/feed?%s HTTP/1.1\r\nhost: x\r\n\r\n" % (b"a" * 9_000)
    status, headers, body = raw(port, long)
    assert (status, headers["content-type"]) == (414, "application/problem+json")
    assert json.loads(body)["type"].endswith("#address-too-long")
    huge = b"GET /v1/feed HTTP/1.1\r\nhost: x\r\nx-huge: %s\r\n\r\n" % (b"a" * 200_000)
    assert raw(port, huge)[0] == 431


@pytest.mark.parametrize("field", ["x-request-id", "traceparent", "user-agent", "authorization"])
def test_nothing_a_client_sends_forges_a_line_of_the_log(
    platform: Platform, client: httpx.Client, field: str
) -> None:
    marker = f"forged-{field}"
    client.get("/v1/contents", headers={field: f'x","severity":"{marker}"'})
    client.get(f'/v1/{marker}"%0A{{"severity":"{marker}"}}')
    client.post("/v1/sessions", json={"email": f"a\n{marker}", "password": "x\r\ny"})
    for line in platform.api.log.read_text().splitlines():
        assert json.loads(line)["severity"] != marker


@pytest.fixture(scope="module")
def browsers(platform: Platform) -> Iterator[httpx.Client]:
    """A pod that one web app may call."""
    with_cors = platform.settings | {"KINGDOM_CORS_ORIGINS": "https://app.example.com"}
    process = pod("api", platform.folder, with_cors)
    process.start()
    platform.wait_until_ready(process)
    with httpx.Client(base_url=f"http://127.0.0.1:{process.port}") as client:
        yield client
    process.kill()


def test_only_configured_origins_may_call_from_a_browser(browsers: httpx.Client) -> None:
    wish = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    granted = browsers.options("/v1/contents", headers={"origin": "https://app.example.com", **wish})
    assert granted.status_code == 200
    assert granted.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "access-control-allow-credentials" not in granted.headers
    for origin in ("https://evil.example.com", "null", "https://app.example.com.evil.org"):
        refused = browsers.options("/v1/contents", headers={"origin": origin, **wish})
        assert refused.status_code == 400
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["detail"] == "Disallowed CORS origin."
        assert "access-control-allow-origin" not in refused.headers
        assert (
            "access-control-allow-origin" not in browsers.get("/v1/feed", headers={"origin": origin}).headers
        )


def test_the_headers_of_the_mobile_client_are_allowed(browsers: httpx.Client) -> None:
    names = "authorization,content-type,idempotency-key,if-none-match,last-event-id,x-firebase-appcheck"
    preflight = {"access-control-request-method": "POST", "access-control-request-headers": names}
    granted = browsers.options("/v1/contents", headers={"origin": "https://app.example.com", **preflight})
    assert granted.status_code == 200, granted.text


def test_a_page_can_read_refusals_as_well(browsers: httpx.Client) -> None:
    answer = browsers.get("/v1/contents", headers={"origin": "https://app.example.com"})
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "RateLimit" in answer.headers["access-control-expose-headers"]
    assert "origin" in answer.headers["vary"].lower()


def test_without_configuration_no_origin_may_call(client: httpx.Client) -> None:
    answer = client.get("/v1/feed", headers={"origin": "https://app.example.com"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_trace_of_a_request_goes_on_in_the_worker(platform: Platform, ada: Person) -> None:
    trace = "fedcba9876543210fedcba9876543210"
    headers = {"traceparent": f"00-{trace}-0123456789abcdef-01"}
    asked = ada.client.post("/v1/contents", json={"prompt": "traced"}, headers=headers)
    ada.finished(asked.json()["id"])

    def told() -> bool:
        lines = [json.loads(line) for line in platform.worker.log.read_text().splitlines()]
        return any(line.get("trace_id") == trace and line["message"] == "content generated" for line in lines)

    wait_for("the trace in the worker's log", told)


@pytest.mark.anyio
async def test_calls_to_others_carry_the_trace_and_what_is_left_of_the_time() -> None:
    bound = context.current.set({"trace_id": "1" * 32, "span_id": "2" * 16, "trace_flags": "01"})
    try:
        request = httpx.Request("GET", "https://storage.example.com/")
        with deadline_at(time.monotonic() + 2):
            await add_headers(request)
    finally:
        context.current.reset(bound)
    assert request.headers["traceparent"] == f"00-{'1' * 32}-{'2' * 16}-01"
    assert 0 < int(request.headers["x-deadline-ms"]) <= 2000
    outside = httpx.Request("GET", "https://storage.example.com/")
    await add_headers(outside)
    assert "traceparent" not in outside.headers
    assert "x-deadline-ms" not in outside.headers
