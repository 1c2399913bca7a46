"""The service behind the local edge and gateway, as clients of HTTP/1.1 and HTTP/2 see it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import re
import resource
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes

from app.media.visibility import MAX_CACHED_SECONDS
from infra.edge.rulesets import HIDDEN, below
from rehearsal.host.desired_state import Desired, DesiredStore
from rehearsal.host.envoy import gateway_listener, oversized_bodies, response_cache, session_affinity
from rehearsal.host.envoy.backends import Backend
from rehearsal.host.envoy.certificate_authority import Authority
from rehearsal.host.envoy.cloudflare_zone import RECORD, RULESET
from rehearsal.host.envoy.edge_listener import SECURITY_POLICY, edge, local_cluster
from rehearsal.host.envoy.process import binary, static_endpoints
from tests.app.conftest import Person
from tests.app.media.test_endpoints import sample_image, settled, upload
from tests.support import backends
from tests.support.backends import Platform, Process, free_port, wait_for

MIB = 1024 * 1024
AFFINITY = {"type": "STRONG_COOKIE_AFFINITY", "cookie": {"name": "replica", "path": "/", "ttl": "60s"}}
NAMESPACE = "kingdom"
PAGE = "https://app.example.com"
HOST = "api.example.com"  # in the zone
SECONDS = 10  # seconds of a request, short for the tests; 27 MiB take four on a busy core


def declared(folder: Path) -> DesiredStore:
    """Return the declared resources of the edge that these tests need."""
    folder.mkdir()
    store = DesiredStore(folder)
    named = {"metadata": {"name": "api", "namespace": NAMESPACE}}
    target = {"group": "", "kind": "Service", "name": "api"}
    objects: list[tuple[str, dict[str, Any]]] = [
        ("kubernetes:core/v1:Service", {"kind": "Service", "spec": {"ports": [{"port": 80}]}}),
        (
            "kubernetes:gateway.networking.k8s.io/v1:Gateway",
            {"kind": "Gateway", "spec": {"listeners": [{"name": "https"}]}},
        ),
        (
            "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",
            {
                "kind": "HTTPRoute",
                "spec": {
                    "parentRefs": [{"kind": "Gateway", "name": "api", "sectionName": "https"}],
                    "rules": [{"backendRefs": [{"kind": "Service", "name": "api", "port": 80}]}],
                },
            },
        ),
        (
            "kubernetes:networking.gke.io/v1:GCPBackendPolicy",
            {
                "kind": "GCPBackendPolicy",
                "spec": {"targetRef": target, "default": {"timeoutSec": SECONDS}},
            },
        ),
        (
            "kubernetes:networking.gke.io/v1:GCPTrafficDistributionPolicy",
            {
                "kind": "GCPTrafficDistributionPolicy",
                "spec": {"targetRefs": [target], "default": {"sessionAffinity": AFFINITY}},
            },
        ),
    ]
    for type_, inputs in objects:
        store.put(Desired(f"urn:pulumi:x::y::{type_}::api", type_, "kingdom/api", {**named, **inputs}))
    length = {
        "match": {"expr": {"expression": f"int(request.headers['content-length']) > {26 * MIB}"}},
        "action": "deny(403)",
    }
    store.put(Desired(f"urn:pulumi:x::y::{SECURITY_POLICY}::x", SECURITY_POLICY, "x", {"rules": [length]}))
    methods = {
        "ref": "methods",
        "expression": 'not http.request.method in {"GET" "HEAD" "POST" "PUT" "PATCH" "DELETE" "OPTIONS"}',
        "action": "block",
        "actionParameters": {
            "response": {"statusCode": 405, "contentType": "application/json", "content": '{"status": 405}'}
        },
    }
    hidden = {name: {"operation": "remove"} for name in HIDDEN}
    hiding = {
        "ref": "headers",
        "expression": "true",
        "action": "rewrite",
        "actionParameters": {"headers": hidden},
    }
    caching = {
        "ref": "media",
        "expression": below("/v1/media/"),
        "action": "set_cache_settings",
        "actionParameters": {
            "cache": True,
            "edgeTtl": {"mode": "bypass_by_default"},
            "browserTtl": {"mode": "respect_origin"},
        },
    }
    phases = {
        "http_request_firewall_custom": methods,
        "http_response_headers_transform": hiding,
        "http_request_cache_settings": caching,
    }
    record = {"name": HOST, "proxied": True}
    store.put(Desired(f"urn:pulumi:x::y::{RECORD}::api", RECORD, "api", record))
    for phase, rule in phases.items():
        ruleset = {"phase": phase, "rules": [rule]}
        store.put(Desired(f"urn:pulumi:x::y::{RULESET}::{phase}", RULESET, phase, ruleset))
    return store


@dataclass
class Edge:
    """A running edge."""

    port: int
    ca: Path
    folder: Path
    pid: int

    def client(self, *, http2: bool) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.ca))
        return httpx.Client(
            base_url=f"https://localhost:{self.port}", verify=context, http2=http2, timeout=30
        )

    def connect(self, protocol: str = "http/1.1") -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        context = ssl.create_default_context(cafile=str(self.ca))
        context.set_alpn_protocols([protocol])
        return context.wrap_socket(plain, server_hostname="localhost")


@pytest.fixture(scope="module")
def refusing() -> Iterator[int]:
    """The port of the server for oversized bodies, which runs in the supervisor otherwise."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(oversized_bodies.serve())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield oversized_bodies.port_of(server)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    loop.close()


@pytest.fixture(scope="module")
def edge_of(platform: Platform, refusing: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running(platform.api.port, refusing, tmp_path_factory.mktemp("edge")) as found:
        yield found


@pytest.fixture
def unreachable(refusing: int, tmp_path: Path) -> Iterator[Edge]:
    """An edge whose gateway has no replica that listens."""
    with running(free_port(), refusing, tmp_path) as found:
        yield found


@pytest.fixture
def called_by_pages(platform: Platform, refusing: int, tmp_path: Path) -> Iterator[Edge]:
    """An edge in front of a pod whose API the pages of :data:`PAGE` may call."""
    pod = backends.pod("api", platform.folder, platform.settings | {"KINGDOM_CORS_ORIGINS": PAGE})
    try:
        pod.start()
        platform.wait_until_ready(pod)
        with running(pod.port, refusing, tmp_path) as found:
            yield found
    finally:
        pod.kill()


class Origin(ThreadingHTTPServer):
    """A server of one image, which caches may store for `max_age` seconds, until it is withdrawn."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", free_port()), ImageHandler)
        self.conditions: list[str | None] = []
        self.withdrawn = False
        self.body = b"an image"
        self.max_age = 1


class ImageHandler(BaseHTTPRequestHandler):
    """Responses of :class:`Origin`, as those of the service."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        origin, condition = cast(Origin, self.server), self.headers.get("if-none-match")
        origin.conditions.append(condition)
        status = 404 if origin.withdrawn else 304 if condition else 200
        body = origin.body if status == 200 else b""
        self.send_response(status)
        self.send_header(
            "cache-control", "no-store" if status == 404 else f"public, max-age={origin.max_age}"
        )
        if status != 404:
            self.send_header("etag", '"1"')
        if status != 304:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (a name of http.server)
        """Log nothing."""


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def running(replica: int, refusing: int, folder: Path) -> Iterator[Edge]:
    """Run the edge in front of the gateway and of the replica on that port."""
    store, port, admin = declared(folder / "store"), free_port(), free_port()
    authority = Authority(folder / "ca")
    (folder / "cache").mkdir()
    leaf = authority.server(folder / "leaf", ("localhost", "127.0.0.1"))
    made = edge(store, port, leaf, folder / "edge.json", folder / "cache")
    assert not made.notes
    routing = gateway_listener.routing(store)
    session_affinity.add_replicas(routing.routes, [replica], b"key")
    inner = gateway_listener.listener(folder / "gateway.json")
    cluster = gateway_listener.cluster(Backend(NAMESPACE, "api", 80), store, folder / "none.json")
    cluster |= {"type": "STATIC", "load_assignment": static_endpoints(cluster["name"], [replica])}
    del cluster["eds_cluster_config"]
    for listener, routes in ((made.listener, made.routes), (inner, routing.routes)):
        manager = listener["filter_chains"][0]["filters"][-1]["typed_config"]
        del manager["rds"]
        manager["route_config"] = routes
    internal = "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener"
    bootstrap = {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
        "bootstrap_extensions": [
            {"name": "envoy.bootstrap.internal_listener", "typed_config": {"@type": internal}}
        ],
        "static_resources": {
            "listeners": [made.listener, inner],
            "clusters": [
                gateway_listener.inner_cluster(),
                local_cluster(oversized_bodies.NAME, refusing),
                cluster,
            ],
        },
    }
    (folder / "bootstrap.json").write_text(json.dumps(bootstrap))
    command = [binary(), "--config-path", str(folder / "bootstrap.json"), "--concurrency", "1"]
    command += ["--disable-hot-restart", "--log-level", "error"]
    process = Process(command, port, folder / "envoy.log")
    process.start()
    try:
        yield Edge(port, authority.certificate, folder, process.pid)
    finally:
        process.kill()


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
@pytest.mark.parametrize(("size", "declared", "status"), [(11, True, 401), (27, True, 413), (27, False, 401)])
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


def test_one_copy_of_an_image_is_cached_for_pages_of_every_origin(called_by_pages: Edge, ada: Person) -> None:
    media = settled(ada, upload(ada, sample_image(90, 60)).json()["id"])
    url = media["variants"][0]["url"]
    with called_by_pages.client(http2=True) as client:
        first = client.get(url)
        wait_for("the copy", lambda: "age" in client.get(url).headers)  # it is written after the response
        origins = (None, PAGE, "https://other.example.com", "null")
        cached = [client.get(url, headers={} if origin is None else {"origin": origin}) for origin in origins]
    assert (first.status_code, "age" in first.headers) == (200, False)
    assert int(first.headers["cache-control"].removeprefix("public, max-age=")) <= MAX_CACHED_SECONDS
    for response in (first, *cached):
        assert (response.status_code, response.content) == (200, first.content)
        assert response.headers["access-control-allow-origin"] == "*"
        assert "vary" not in response.headers
    for response in cached:
        assert "age" in response.headers, "served from the cache"
    assert len({response.headers["x-request-id"] for response in cached}) == 1


def test_other_spellings_of_a_signed_url_create_no_copies(called_by_pages: Edge, ada: Person) -> None:
    media = settled(ada, upload(ada, sample_image(80, 60)).json()["id"])
    url = media["variants"][0]["url"]
    path, _, query = url.partition("?")
    expires, _, signature = query.partition("&")
    spellings = [
        f"{path}?{signature}&{expires}",
        f"{path}?{expires.replace('=', '=0')}&{signature}",
        f"{path}?{expires.replace('=', '=%2B')}&{signature}",
        f"{path}?{expires}&{signature[:-1]}%{ord(signature[-1]):02x}",
        f"{path}?{query}&",
        f"{path}?&{query}",
        f"{url}&other=1",
        f"{path.replace('.', '%2e')}?{query}",
        f"{path.replace('.', '%2E')}?{query}",
        f"{path[:-1]}%{ord(path[-1]):02x}?{query}",
        f"{path[: path.rindex('/')]}%2F{path[path.rindex('/') + 1 :]}?{query}",
    ]
    with called_by_pages.client(http2=True) as client:
        assert client.get(url).status_code == 200
        wait_for("the copy", lambda: "age" in client.get(url).headers)
        copy = client.get(url)
        for spelling in spellings:
            response = client.get(spelling)
            if response.status_code == 200:  # Envoy decodes some characters of a path before the lookup
                assert response.headers["x-request-id"] == copy.headers["x-request-id"], spelling
                continue
            assert response.status_code in {403, 422}, spelling
            assert response.headers["cache-control"] == "no-store"


def test_withdrawn_image_is_served_until_its_copy_expires(
    origin: Origin, refusing: int, tmp_path: Path
) -> None:
    with running(origin.server_port, refusing, tmp_path) as found, found.client(http2=True) as client:
        assert client.get("/v1/media/1/a.webp").content == b"an image"
        # The copy is written after the first response.
        wait_for("the copy", lambda: "age" in client.get("/v1/media/1/a.webp").headers)
        # An expired copy is revalidated, and stored for another second.
        wait_for("revalidated", lambda: bool(client.get("/v1/media/1/a.webp")) and '"1"' in origin.conditions)
        origin.withdrawn = True
        began = time.monotonic()
        wait_for("withdrawn", lambda: client.get("/v1/media/1/a.webp").status_code == 404, 10)
        # Ages are whole seconds.
        assert time.monotonic() - began < 1 + 2


def resident_bytes(pid: int) -> int:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def cached_bytes(found: Edge) -> int:
    """Size of all copies that the edge has stored."""
    sizes = 0
    for file in (found.folder / "cache").iterdir():
        with contextlib.suppress(FileNotFoundError):  # deleted in the meantime
            sizes += file.stat().st_size
    return sizes


def test_spellings_of_the_host_share_one_copy(origin: Origin, refusing: int, tmp_path: Path) -> None:
    origin.body, origin.max_age = b"x" * MIB, 3600
    with running(origin.server_port, refusing, tmp_path) as found, found.client(http2=False) as client:

        def get(host: str) -> httpx.Response:
            return client.get("/v1/media/1/a.webp", headers={"host": host})

        def status(host: str) -> int:
            return get(host).status_code

        assert status(HOST) == 200
        wait_for("the copy", lambda: "age" in get(HOST).headers)  # it is written after the response
        requests = len(origin.conditions)
        before = resident_bytes(found.pid)
        spellings = [
            HOST.upper(),
            HOST.title(),
            f"{HOST}:{found.port}",
            f"API.example.com:{found.port}",
            f"{HOST}:a",
        ]
        spellings += [f"{HOST}:{port}" for port in range(1, 100)]
        assert {status(host) for host in spellings} == {200}
        assert len(origin.conditions) == requests, "all are served from the copy"
        refused = [
            f"{HOST}.",
            f"{HOST}:1:1",
            f"x{HOST}",
            "example.com",
            "169.254.169.254",
            "localhost.localdomain",
        ]
        refused += [f"h{number}.{HOST}" for number in range(20)]
        assert {host: status(host) for host in refused} == dict.fromkeys(refused, 421)
        assert status("localhost") == 200
        assert len(origin.conditions) == requests + 1, "one more for each name that the edge serves"
        assert cached_bytes(found) < 3 * MIB
        assert resident_bytes(found.pid) - before < 32 * MIB


def test_copies_of_many_images_are_bounded(
    origin: Origin, refusing: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "MAX_BYTES", 8 * MIB)
    origin.body, origin.max_age = b"x" * (512 * 1024), 3600
    with running(origin.server_port, refusing, tmp_path) as found, found.client(http2=False) as client:
        assert client.get("/v1/media/0/a.webp").status_code == 200
        before = resident_bytes(found.pid)
        for number in range(200):  # 100 MiB
            response = client.get(f"/v1/media/{number % 100}/a.webp?expires={number}")
            assert (response.status_code, len(response.content)) == (200, len(origin.body))
        # The oldest copies are deleted in the background.
        wait_for("copies within the bound", lambda: cached_bytes(found) <= 8 * MIB, 10)
        assert resident_bytes(found.pid) - before < 32 * MIB
        latest = "/v1/media/99/a.webp?expires=199"
        wait_for("the copy", lambda: "age" in client.get(latest).headers)


def without_window(found: Edge, streams: int) -> ssl.SSLSocket:
    """Send requests over HTTP/2, and never open the window for their responses."""
    connection = found.connect("h2")
    state = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    state.initiate_connection()
    state.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    for number in range(streams):
        head = [(":method", "GET"), (":path", f"/v1/none?{number}"), (":scheme", "https")]
        state.send_headers(2 * number + 1, [*head, (":authority", HOST)], end_stream=True)
    connection.sendall(state.data_to_send())
    return connection


@pytest.mark.slow
def test_memory_of_responses_that_are_not_read_is_bounded(
    origin: Origin, refusing: int, tmp_path: Path
) -> None:
    origin.body = b"x" * (8 * MIB)
    with running(origin.server_port, refusing, tmp_path) as found, found.client(http2=True) as client:
        assert client.get("/v1/none").status_code == 200
        before = resident_bytes(found.pid)
        with without_window(found, 50), without_window(found, 50):
            wait_for("requests at the origin", lambda: len(origin.conditions) > 60)
            for _ in range(3):
                assert len(client.get("/v1/none").content) == len(origin.body)
            # Of more than 480 MiB that the origin began to send.
            assert resident_bytes(found.pid) - before < 240 * MIB
