"""The local edge in front of a replica, as a process of Envoy, and an origin of one image."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import httpx

from infra.edge.rulesets import HIDDEN, below
from rehearsal.host.desired_state import Desired, DesiredStore
from rehearsal.host.envoy import gateway_listener, oversized_bodies, session_affinity
from rehearsal.host.envoy.backends import Backend
from rehearsal.host.envoy.certificate_authority import Authority
from rehearsal.host.envoy.cloudflare_zone import RECORD, RULESET
from rehearsal.host.envoy.edge_listener import SECURITY_POLICY, edge, local_cluster
from rehearsal.host.envoy.process import (
    MAX_MEMORY_BYTES,
    binary,
    internal_connections,
    memory_limits,
    static_endpoints,
)
from tests.support.backends import Process, free_port

MIB = 1024 * 1024
AFFINITY = {"type": "STRONG_COOKIE_AFFINITY", "cookie": {"name": "replica", "path": "/", "ttl": "60s"}}
NAMESPACE = "kingdom"
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


@contextlib.contextmanager
def running(replica: int, refusing: int, folder: Path, max_bytes: int = MAX_MEMORY_BYTES) -> Iterator[Edge]:
    """Run the edge in front of the gateway and of the replica on that port; `max_bytes` bounds its heap."""
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
    bootstrap = {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
        "bootstrap_extensions": [internal_connections()],
        **memory_limits(max_bytes),
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


def resident_bytes(pid: int) -> int:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()
