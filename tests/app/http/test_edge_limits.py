"""Limits of the local edge and gateway in front of the service, for clients of HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from rehearsal.host.desired_state import Desired, DesiredStore
from rehearsal.host.envoy import gateway_listener
from rehearsal.host.envoy.backends import Backend
from rehearsal.host.envoy.certificate_authority import Authority
from rehearsal.host.envoy.edge_listener import RULESET, SECURITY_POLICY, edge
from rehearsal.host.envoy.process import binary, static_endpoints
from tests.app.conftest import Person
from tests.support.backends import Platform, Process, free_port

MIB = 1024 * 1024
NAMESPACE = "kingdom"
SECONDS = 4  # the declared request timeout, short for the tests


def declared(folder: Path) -> DesiredStore:
    """The part of the edge's declaration that these tests need."""
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
    rules = {"phase": "http_request_firewall_custom", "rules": [methods]}
    store.put(Desired(f"urn:pulumi:x::y::{RULESET}::x", RULESET, "x", rules))
    return store


@dataclass
class Edge:
    """A running edge."""

    port: int
    ca: Path

    def client(self, *, http2: bool) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.ca))
        return httpx.Client(
            base_url=f"https://localhost:{self.port}", verify=context, http2=http2, timeout=30
        )

    def connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        context = ssl.create_default_context(cafile=str(self.ca))
        return context.wrap_socket(plain, server_hostname="localhost")


@pytest.fixture(scope="module")
def edge_of(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("edge")
    store, port, admin = declared(folder / "store"), free_port(), free_port()
    authority = Authority(folder / "ca")
    leaf = authority.server(folder / "leaf", ("localhost", "127.0.0.1"))
    made = edge(store, port, leaf, folder / "edge.json")
    assert not made.notes
    routing = gateway_listener.routing(store)
    inner = gateway_listener.listener(folder / "gateway.json")
    cluster = gateway_listener.cluster(Backend(NAMESPACE, "api", 80), store, folder / "none.json")
    cluster |= {"type": "STATIC", "load_assignment": static_endpoints(cluster["name"], [platform.api.port])}
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
            "clusters": [gateway_listener.inner_cluster(), cluster],
        },
    }
    (folder / "bootstrap.json").write_text(json.dumps(bootstrap))
    command = [binary(), "--config-path", str(folder / "bootstrap.json"), "--concurrency", "1"]
    command += ["--disable-hot-restart", "--log-level", "error"]
    process = Process(command, port, folder / "envoy.log")
    process.start()
    yield Edge(port, authority.certificate)
    process.kill()


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("signed_in", [False, True])
def test_rejection_of_a_large_body_reaches_the_client(
    edge_of: Edge, ada: Person, http2: bool, signed_in: bool
) -> None:
    own = {"authorization": ada.client.headers["authorization"]} if signed_in else {}
    found = []
    with edge_of.client(http2=http2) as client:
        for number in range(12):
            path = ("/v1/contents", "/v1/uploads")[number % 2]
            kind = ("application/json", "image/png")[number % 2]
            response = client.post(path, content=b"x" * (11 * MIB), headers=own | {"content-type": kind})
            found.append((response.status_code, response.headers["content-type"]))
    assert set(found) == {(413 if signed_in else 401, "application/problem+json")}


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_rejection_of_a_large_body_reaches_curl(edge_of: Edge, tmp_path: Path, version: str) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"x" * (11 * MIB))
    for _ in range(4):
        assert curl(edge_of, version, body) == "401"


def test_body_larger_than_any_upload_is_rejected_at_the_edge(edge_of: Edge, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"x" * (27 * MIB))
    assert curl(edge_of, "--http1.1", body) == "413"


def curl(edge_of: Edge, version: str, body: Path) -> str:
    """Return the status that curl reports for a POST of the file."""
    command = ["curl", "--silent", "--show-error", version, "--cacert", str(edge_of.ca), "--data-binary"]
    command += [f"@{body}", "--header", "content-type: application/json", "--write-out", "%{http_code}"]
    url = f"https://localhost:{edge_of.port}/v1/contents"
    done = subprocess.run([*command, url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout[:-3])["status"] == int(done.stdout[-3:])
    return done.stdout[-3:]


def test_incomplete_headers_and_bodies_time_out(edge_of: Edge) -> None:
    began = time.monotonic()
    with edge_of.connect() as body, edge_of.connect() as head:
        body.sendall(b"POST /v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{")
        head.sendall(b"GET /v1/feed HTTP/1.1\r\nhost: localhost\r\n")
        assert body.recv(65536).startswith((b"HTTP/1.1 408", b"HTTP/1.1 504", b"HTTP/1.1 415"))
        assert time.monotonic() - began < SECONDS + 2
        assert head.recv(65536).startswith((b"HTTP/1.1 408", b""))
        assert time.monotonic() - began < 12


@pytest.mark.parametrize("http2", [False, True])
def test_unsupported_methods_are_not_allowed(edge_of: Edge, http2: bool) -> None:
    with edge_of.client(http2=http2) as client:
        for method in ("QUERY", "PROPFIND", "TRACE", "BREW"):
            response = client.request(method, "/v1/feed")
            assert response.status_code == 405, (method, response.text, response.headers)
        assert client.get("/v1/feed").status_code == 200
