"""Late, missing and too large request bodies, sent over plain sockets."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from app.http.requests import MAX_DISCARD_BYTES, MAX_DISCARD_IDLE_SECONDS, MAX_WAITING
from tests.app.conftest import Person
from tests.support.backends import Platform, wait_for

MIB = 1024 * 1024


def head(path: str, length: int | str, **headers: str) -> bytes:
    """Return the header section of a POST with a JSON body of ``length`` bytes, or a chunked body."""
    body = "transfer-encoding: chunked" if length == "chunked" else f"content-length: {length}"
    others = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return (
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{body}\r\n{others}\r\n"
    ).encode()


def everything(connection: socket.socket) -> bytes:
    """Return all bytes received until the server closes the connection."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


@pytest.mark.parametrize("length", [100, 11 * MIB, 10**12, "chunked"])
@pytest.mark.parametrize(
    ("path", "status"), [("/v1/contents", b"401"), ("/v1/nothing", b"404"), ("/livez", b"405")]
)
def test_rejection_does_not_wait_for_a_missing_body(
    platform: Platform, path: str, status: bytes, length: int | str
) -> None:
    with socket.create_connection(("127.0.0.1", platform.api.port), timeout=10) as connection:
        began = time.monotonic()
        connection.sendall(head(path, length))
        response = everything(connection)  # returns because the connection is closed
        assert response.startswith(b"HTTP/1.1 " + status)
        assert b"connection: close" in response
        assert time.monotonic() - began < MAX_DISCARD_IDLE_SECONDS + 3


def test_stalled_body_times_out_before_the_deadline(platform: Platform) -> None:
    with socket.create_connection(("127.0.0.1", platform.api.port), timeout=10) as connection:
        connection.sendall(head("/v1/sessions", 100, x_deadline_ms="1000") + b'{"email')
        response = everything(connection)
    assert response.startswith(b"HTTP/1.1 408")
    assert b"#body-timeout" in response


@pytest.mark.parametrize("signed_in", [False, True])
def test_too_large_body_is_rejected_and_the_connection_reused(
    platform: Platform, ada: Person, signed_in: bool
) -> None:
    own = {"authorization": ada.client.headers["authorization"]} if signed_in else {}
    with httpx.Client(base_url=platform.url, timeout=20) as client:
        for _ in range(5):
            for path in ("/v1/contents", "/v1/uploads"):
                kind = {"content-type": "application/json" if path == "/v1/contents" else "image/png"}
                response = client.post(path, content=b"x" * (11 * MIB), headers=own | kind)
                assert response.status_code == (413 if signed_in else 401)
                assert response.headers["content-type"] == "application/problem+json"


def test_body_beyond_the_discard_limit_closes_the_connection(platform: Platform) -> None:
    with socket.create_connection(("127.0.0.1", platform.api.port), timeout=10) as connection:
        connection.sendall(head("/v1/contents", MAX_DISCARD_BYTES + 1))
        response = everything(connection)
    assert response.startswith(b"HTTP/1.1 401")


@contextlib.contextmanager
def waiting(platform: Platform, number: int) -> Iterator[list[socket.socket]]:
    """Open ``number`` requests whose bodies do not arrive."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, number + 500)), hard))
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(number):
            connection = socket.create_connection(("127.0.0.1", platform.api.port), timeout=30)
            connections.append(stack.enter_context(connection))
            connection.sendall(head("/v1/sessions", 100))
        yield connections


def test_requests_waiting_for_bodies_occupy_no_slot(platform: Platform) -> None:
    with waiting(platform, 200), httpx.Client(base_url=platform.url, timeout=5) as client:
        # Together they exceed the concurrency limit; while they wait for bodies they occupy no slots.
        wait_for("the burst is over", lambda: client.get("/v1/feed").status_code == 200, 5)
        for _ in range(20):
            assert client.get("/v1/feed").status_code == 200
            assert client.get("/v1/products").status_code == 200


def test_number_of_requests_waiting_for_bodies_is_limited(platform: Platform) -> None:
    with waiting(platform, MAX_WAITING + 50) as connections:
        refused = 0
        for connection in connections[-50:]:
            response = everything(connection)
            refused += response.startswith(b"HTTP/1.1 503")
        assert refused >= 40
        with httpx.Client(base_url=platform.url, timeout=1) as client:
            assert client.get("/livez").status_code == 200
            assert client.get("/readyz").status_code == 200
    wait_for("room again", lambda: httpx.post(f"{platform.url}/v1/sessions", json={}).status_code == 422)
