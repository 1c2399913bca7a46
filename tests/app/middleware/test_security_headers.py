"""Headers of every response, over HTTP and over raw sockets."""

from __future__ import annotations

import json
import re
import socket

import httpx
import pytest

from tests.app.conftest import Person
from tests.support.backends import Platform, wait_for

SECURE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
}


def raw(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes that no client library would send; return status, headers and body."""
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
def test_every_response_has_the_security_headers(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert {name: response.headers[name] for name in SECURE} == SECURE
    assert response.headers["x-request-id"]
    assert re.fullmatch(r"app;dur=\d+\.\d\d", response.headers["server-timing"])
    assert "cache-control" in response.headers
    if status >= 400:
        assert response.headers["content-type"] == "application/problem+json"


def test_two_host_headers_are_rejected(platform: Platform) -> None:
    twice = b"GET /v1/feed HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"
    status, headers, body = raw(platform.api.port, twice)
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert json.loads(body)["type"].endswith("#malformed")


def test_malformed_chunked_body_is_rejected(platform: Platform) -> None:
    head = b"POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    broken = head + b"transfer-encoding: chunked\r\n\r\nnot a size\r\n\r\n"
    status, _, _ = raw(platform.api.port, broken)
    assert status == 400


def test_too_large_headers_or_uri_are_rejected_with_a_problem(platform: Platform) -> None:
    port = platform.api.port
    large = b"GET /v1/feed HTTP/1.1\r\nhost: x\r\nx-large: %s\r\n\r\n" % (b"a" * 17_000)
    status, headers, body = raw(port, large)
    assert (status, headers["content-type"]) == (431, "application/problem+json")
    assert json.loads(body)["type"].endswith("#header-fields-too-large")
    long = b"GET /v1/feed?%s HTTP/1.1\r\nhost: x\r\n\r\n" % (b"a" * 9_000)
    status, headers, body = raw(port, long)
    assert (status, headers["content-type"]) == (414, "application/problem+json")
    assert json.loads(body)["type"].endswith("#uri-too-long")
    huge = b"GET /v1/feed HTTP/1.1\r\nhost: x\r\nx-huge: %s\r\n\r\n" % (b"a" * 200_000)
    assert raw(port, huge)[0] == 431


@pytest.mark.parametrize("field", ["x-request-id", "traceparent", "user-agent", "authorization"])
def test_client_input_cannot_forge_log_lines(platform: Platform, client: httpx.Client, field: str) -> None:
    marker = f"forged-{field}"
    client.get("/v1/contents", headers={field: f'x","severity":"{marker}"'})
    client.get(f'/v1/{marker}"%0A{{"severity":"{marker}"}}')
    client.post("/v1/sessions", json={"email": f"a\n{marker}", "password": "x\r\ny"})
    for line in platform.api.log.read_text().splitlines():
        assert json.loads(line)["severity"] != marker


def test_no_origin_is_allowed_without_configuration(client: httpx.Client) -> None:
    response = client.get("/v1/feed", headers={"origin": "https://app.example.com"})
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_trace_of_a_request_continues_in_the_worker(platform: Platform, ada: Person) -> None:
    trace = "fedcba9876543210fedcba9876543210"
    headers = {"traceparent": f"00-{trace}-0123456789abcdef-01"}
    asked = ada.client.post("/v1/contents", json={"prompt": "traced"}, headers=headers)
    ada.finished(asked.json()["id"])

    def traced() -> bool:
        lines = [json.loads(line) for line in platform.worker.log.read_text().splitlines()]
        return any(line.get("trace_id") == trace and line["message"] == "content generated" for line in lines)

    wait_for("the trace in the worker's log", traced)
