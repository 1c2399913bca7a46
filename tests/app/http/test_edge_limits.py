"""The service behind the local edge and gateway, as clients of HTTP/1.1 and HTTP/2 see it."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.edge.rulesets import HIDDEN
from tests.app.conftest import Person
from tests.support.backends import Platform, free_port
from tests.support.edges import MIB, SECONDS, Edge, running


@pytest.fixture(scope="module")
def edge_of(platform: Platform, refusing: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running(platform.api.port, refusing, tmp_path_factory.mktemp("edge")) as found:
        yield found


@pytest.fixture
def unreachable(refusing: int, tmp_path: Path) -> Iterator[Edge]:
    """An edge whose gateway has no replica that listens."""
    with running(free_port(), refusing, tmp_path) as found:
        yield found


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("signed_in", [False, True])
def test_a_refusal_of_a_large_body_reaches_every_client(
    edge_of: Edge, ada: Person, http2: bool, signed_in: bool
) -> None:
    own = {"authorization": ada.client.headers["authorization"]} if signed_in else {}
    refused = 413 if signed_in else 401
    # The edge refuses a length over 26 MiB; a body without a declared length reaches the service.
    cases = [(11, True, refused), (27, True, 413), (11, True, refused), (27, False, refused)]
    with edge_of.client(http2=http2) as client:
        for number, (size, declared, status) in enumerate(cases):
            path = ("/v1/contents", "/v1/uploads")[number // 2]
            headers = own | {"content-type": ("application/json", "image/png")[number // 2]}
            # In chunks: httpcore copies the rest of a single string for each HTTP/2 frame.
            content = io.BytesIO(b"x" * (size * MIB)) if declared else iter([b"x" * MIB] * size)
            response = client.post(path, content=content, headers=headers)
            found = (response.status_code, response.headers["content-type"], response.http_version)
            expected = (status, "application/problem+json", "HTTP/2" if http2 else "HTTP/1.1")
            assert found == expected, (number, size, declared)
            assert response.json()["status"] == status


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize(
    ("size", "declared", "status"),
    [(11, True, 401), (27, True, 413), pytest.param(27, False, 401, marks=pytest.mark.slow)],
)
def test_a_refusal_reaches_curl_at_every_attempt(
    edge_of: Edge, tmp_path: Path, version: str, size: int, declared: bool, status: int
) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"x" * (size * MIB))
    for _ in range(5):
        assert curl(edge_of, version, body, declared=declared) == status


def curl(edge_of: Edge, version: str, body: Path, *, declared: bool) -> int:
    """The status that curl reports for a POST of the file, with a Content-Length if `declared`."""
    command = ["curl", "--silent", "--show-error", version, "--cacert", str(edge_of.ca), "--request", "POST"]
    command += ["--data-binary", f"@{body}"] if declared else ["--upload-file", "-"]
    command += ["--header", "content-type: application/json", "--write-out", "%{http_code}"]
    url = f"https://localhost:{edge_of.port}/v1/contents"
    with body.open("rb") as stdin:
        done = subprocess.run([*command, url], stdin=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    status = int(done.stdout[-3:])
    assert json.loads(done.stdout[:-3])["status"] == status
    return status


@pytest.mark.slow
def test_headers_and_bodies_that_never_arrive_end_after_the_declared_time(edge_of: Edge) -> None:
    began = time.monotonic()
    with edge_of.connect() as body, edge_of.connect() as head:
        body.sendall(b"POST /v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{")
        head.sendall(b"GET /v1/feed HTTP/1.1\r\nhost: localhost\r\n")
        assert body.recv(65536).startswith((b"HTTP/1.1 408", b"HTTP/1.1 504", b"HTTP/1.1 415"))
        assert time.monotonic() - began < SECONDS + 2
        assert head.recv(65536).startswith((b"HTTP/1.1 408", b""))
        assert time.monotonic() - began < SECONDS + 4


@pytest.mark.parametrize("http2", [False, True])
def test_methods_that_the_api_does_not_have_are_not_allowed(edge_of: Edge, http2: bool) -> None:
    with edge_of.client(http2=http2) as client:
        for method in ("QUERY", "PROPFIND", "TRACE", "BREW"):
            response = client.request(method, "/v1/feed")
            assert response.status_code == 405, (method, response.text, response.headers)
        assert client.get("/v1/feed").status_code == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /v1/products HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n", 400),
        ("GET /v1/products HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n", 400),
        ("GET /v1/products HTTP/1.1\r\n\r\n", 400),
        ("GET /v1/products HTTP/1.0\r\n\r\n", 426),
        ("POST /v1/sessions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        ("GET /v1/products HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip\r\n\r\n", 501),
    ],
)
def test_malformed_requests_get_problem_details(edge_of: Edge, head: str, status: int) -> None:
    with edge_of.connect() as connection:
        connection.sendall(head.encode())
        received = connection.recv(65536)
        while b"\r\n\r\n" not in received or not received.endswith(b"}\n"):
            piece = connection.recv(65536)
            assert piece, received
            received += piece
    assert int(received.split()[1]) == status, received
    assert b"content-type: application/problem+json" in received
    problem = json.loads(received.partition(b"\r\n\r\n")[2])
    assert (problem["status"], problem["title"]) == (status, f"HTTP status {status}")
    assert None not in problem.values()


def test_errors_of_the_gateway_are_problem_details(unreachable: Edge) -> None:
    with unreachable.client(http2=True) as client:
        response = client.get("/v1/products")
        assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")
        assert response.json()["status"] == 503


@pytest.mark.parametrize("http2", [False, True])
def test_clients_see_neither_the_load_nor_the_address_of_a_replica(
    edge_of: Edge, platform: Platform, http2: bool
) -> None:
    address = f"127.0.0.1:{platform.api.port}"
    visible = (address, base64.b64encode(address.encode()).decode().rstrip("="), f":{platform.api.port}")
    with edge_of.client(http2=http2) as client:
        first = client.get("/v1/products")
        responses = [
            first,
            client.get("/v1/accounts/me"),
            client.get("/v1/none"),
            client.request("BREW", "/"),
        ]
    assert {response.status_code for response in responses} == {200, 401, 404, 405}
    for response in responses:
        assert not {"endpoint-load-metrics", "x-replica-address", *HIDDEN} & set(response.headers)
        assert not [text for text in visible if text in str(response.headers)], response.headers
    assert re.fullmatch(
        "replica=[0-9a-f]{16}; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax",
        first.headers["set-cookie"],
    )
    assert "set-cookie" not in responses[1].headers, "the cookie was sent back"


def test_a_client_cannot_choose_a_replica_by_its_address(edge_of: Edge, platform: Platform) -> None:
    address = base64.b64encode(f"127.0.0.1:{platform.api.port}".encode()).decode()
    with edge_of.client(http2=False) as client:
        for headers in ({"x-replica-address": address}, {"cookie": f"replica={address}"}):
            response = client.get("/v1/products", headers=headers)
            assert response.headers["set-cookie"].startswith("replica="), "the choice was ignored"
            client.cookies.clear()
