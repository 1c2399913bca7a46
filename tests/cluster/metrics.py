"""Serve pod metrics to the autoscaler over the aggregated metrics APIs.

On a cluster, metrics-server and GKE's adapter serve `metrics.k8s.io` and `custom.metrics.k8s.io`. Pods do not
run in these tests, so their usage is a given share of their requests. The autoscaler reads it through the API
server's aggregation layer, as on a cluster.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cluster.api import Api

RESOURCE: Final = "metrics.k8s.io/v1beta1"
CUSTOM: Final = "custom.metrics.k8s.io/v1beta2"
_PODS: Final = re.compile(r"/apis/metrics\.k8s\.io/v1beta1/namespaces/([^/]+)/pods$")
_GAUGE: Final = re.compile(r"/apis/custom\.metrics\.k8s\.io/v1beta2/namespaces/([^/]+)/pods/\*/(.+)$")


class Usage:
    """Usage per container and value per gauge, changed by tests while the autoscaler polls."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.cpu = "1m"
        self.memory = "1Mi"
        self.gauge = "1m"
        self.requested: set[str] = set()


@contextlib.contextmanager
def served(api: Api, usage: Usage, folder: Path) -> Iterator[None]:
    """Serve both APIs behind the aggregation layer of `api` inside the context."""
    handler = type("Handler", (_Handler,), {"usage": usage})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made = [_service(), *(_api_service(version, server.server_port) for version in (RESOURCE, CUSTOM))]
    try:
        for manifest in made:
            api.apply(manifest)
        yield
    finally:
        for manifest in reversed(made):
            api.delete(manifest)
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    usage: Usage
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        found = self._response(unquote(url.path), parse_qs(url.query).get("labelSelector", [""])[0])
        body = json.dumps(found or {}).encode()
        self.send_response(200 if found is not None else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing, to keep the test output short."""

    def _response(self, path: str, selector: str) -> dict[str, Any] | None:
        if path == f"/apis/{RESOURCE}":
            return _resources(RESOURCE, "pods", "PodMetrics")
        if path == f"/apis/{CUSTOM}":
            return _resources(CUSTOM, "pods/any", "MetricValueList")
        if match := _PODS.match(path):
            self.usage.requested.add("resources")
            items = [self._pod_metrics(pod) for pod in self._pods(match[1], selector)]
            return {"kind": "PodMetricsList", "apiVersion": RESOURCE, "metadata": {}, "items": items}
        if match := _GAUGE.match(path):
            self.usage.requested.add(match[2])
            items = [self._value(pod, match[2]) for pod in self._pods(match[1], selector)]
            return {"kind": "MetricValueList", "apiVersion": CUSTOM, "metadata": {}, "items": items}
        return None

    def _pods(self, namespace: str, selector: str) -> list[dict[str, Any]]:
        return self.usage.api.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)

    def _pod_metrics(self, pod: dict[str, Any]) -> dict[str, Any]:
        used = {"cpu": self.usage.cpu, "memory": self.usage.memory}
        return {
            "metadata": {key: pod["metadata"][key] for key in ("name", "namespace")},
            "timestamp": _now(),
            "window": "15s",
            "containers": [{"name": item["name"], "usage": used} for item in pod["spec"]["containers"]],
        }

    def _value(self, pod: dict[str, Any], gauge: str) -> dict[str, Any]:
        described = {"kind": "Pod", "apiVersion": "v1"}
        return {
            "describedObject": described | {key: pod["metadata"][key] for key in ("name", "namespace")},
            "metric": {"name": gauge},
            "timestamp": _now(),
            "value": self.usage.gauge,
        }


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _resources(version: str, name: str, kind: str) -> dict[str, Any]:
    found = {"name": name, "singularName": "", "namespaced": True, "kind": kind, "verbs": ["get", "list"]}
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": [found]}


def _service() -> dict[str, Any]:
    # The aggregation layer requires a Service; ExternalName refers to a server outside the cluster.
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "usage", "namespace": "default"},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }


def _api_service(version: str, port: int) -> dict[str, Any]:
    group, _, name = version.partition("/")
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{name}.{group}"},
        "spec": {
            "group": group,
            "version": name,
            "service": {"name": "usage", "namespace": "default", "port": port},
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
        },
    }


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=8))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "usage.pem"
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
