"""The whole configuration of Envoy from declared objects, applied by a real Envoy."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from rehearsal.host.backends.storage import TYPE as BUCKET
from rehearsal.host.backends.web_app import WebApp
from rehearsal.host.component import Context, TlsProxy
from rehearsal.host.desired_state import Desired
from rehearsal.host.envoy.configuration import Traffic
from rehearsal.host.envoy.process import NAME, Envoy
from rehearsal.host.kubernetes.controllers import Workloads
from rehearsal.host.options import MachineOptions
from tests.rehearsal.host.hosts import context_in, desired, host
from tests.rehearsal.host.kubernetes.objects import declared
from tests.support.backends import free_port, until

pytestmark = pytest.mark.anyio

API = "gateway.networking.k8s.io/v1"
GATEWAY = declared("Gateway", {"listeners": [{"name": "https"}]}, "edge", api=API)


class Backends:
    """A component with one server behind Envoy."""

    types = frozenset({BUCKET})

    def __init__(self, *proxies: TlsProxy) -> None:
        self._proxies = list(proxies)

    def tls_proxies(self) -> list[TlsProxy]:
        return self._proxies

    def notes(self) -> list[str]:
        return ["the bucket has no lifecycle here"]


def traffic_of(context: Context, backends: Backends | None = None) -> tuple[Traffic, Envoy]:
    envoy = Envoy(context)
    workloads = Workloads(context, lambda: None)
    return Traffic(context, envoy, [backends or Backends()], workloads, WebApp(context)), envoy


@asynccontextmanager
async def applied(
    root: Path, *objects: Desired, proxy: TlsProxy | None = None
) -> AsyncIterator[tuple[Context, Traffic, httpx.AsyncClient]]:
    """Envoy with the configuration of these objects, and a client of the edge."""
    port = free_port()
    async with host(root, MachineOptions(edge_port=port)) as context:
        for item in objects:
            context.store.put(item)
        traffic, envoy = traffic_of(context, Backends(*([] if proxy is None else [proxy])))
        await envoy.start()
        await traffic.sync()

        async def done() -> bool:
            return not await traffic.settled(GATEWAY)

        await until(done, 30)
        trust = ssl.create_default_context(cafile=str(context.authority.certificate))
        async with httpx.AsyncClient(base_url=f"https://localhost:{port}", verify=trust) as client:
            yield context, traffic, client
        if traffic._refusing is not None:
            traffic._refusing.close()


async def test_declared_routes_are_applied_and_the_edge_serves_tls(tmp_path: Path) -> None:
    filters = [
        {
            "type": "ResponseHeaderModifier",
            "responseHeaderModifier": {"set": [{"name": "x-a", "value": "1"}]},
        },
        {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/b"}}},
    ]  # fmt: skip
    redirect = {"statusCode": 301, "path": {"type": "ReplaceFullPath", "replaceFullPath": "/new"}}
    backends = [{"name": "api", "port": 80}, {"name": "canary", "port": 80, "weight": 2}]
    match = {
        "path": {"type": "PathPrefix", "value": "/v1"}, "method": "GET",
        "queryParams": [{"name": "q", "value": "1"}],
        "headers": [{"name": "X-B", "type": "RegularExpression", "value": "a+"}],
    }  # fmt: skip
    rules = [
        {"matches": [{"path": {"type": "Exact", "value": "/old"}}],
         "filters": [{"type": "RequestRedirect", "requestRedirect": redirect}]},
        {"matches": [match], "filters": filters, "backendRefs": backends},
        {"matches": [{"path": {"type": "RegularExpression", "value": "/x.*"}}], "backendRefs": backends},
    ]  # fmt: skip
    route = declared("HTTPRoute", {"parentRefs": [{"name": "edge"}], "rules": rules}, "api", api=API)
    target = {"targetRef": {"kind": "Service", "name": "api"}}
    health = declared(
        "HealthCheckPolicy",
        {**target, "default": {"config": {"type": "HTTP", "httpHealthCheck": {"port": 8081}}}},
        api="networking.gke.io/v1",
    )
    weighted = declared(
        "GCPTrafficDistributionPolicy",
        {**target, "default": {"localityLbAlgorithm": "WEIGHTED_ROUND_ROBIN"}},
        api="networking.gke.io/v1",
    )
    async with applied(tmp_path, GATEWAY, route, health, weighted) as (_, traffic, client):
        moved = await client.get("/old")
        assert (moved.status_code, moved.headers["location"]) == (301, f"{client.base_url}/new")
        # No pod is ready.
        assert (await client.get("/xyz")).status_code == 503
        assert (await client.get("/other")).status_code == 404
        assert await traffic.waiting() == []


async def test_changed_routes_reach_a_running_envoy(tmp_path: Path) -> None:
    async with applied(tmp_path, GATEWAY) as (context, traffic, client):
        process = context.processes.get(NAME)
        assert process is not None
        pid = process.pid
        assert (await client.get("/old")).json()["detail"] == "no route is configured yet\n"
        redirect = {"type": "RequestRedirect", "requestRedirect": {"hostname": "new.studio"}}
        rules = [{"filters": [redirect]}]
        context.store.put(
            declared("HTTPRoute", {"parentRefs": [{"name": "edge"}], "rules": rules}, "api", api=API)
        )
        await traffic.sync()

        async def redirected() -> bool:
            return (await client.get("/old")).status_code == 302

        await until(redirected, 10)
        assert process.pid == pid


async def test_servers_behind_envoy_are_listed_and_reached_over_tls(tmp_path: Path) -> None:
    proxy = TlsProxy("storage", free_port(), free_port(), http=True)
    async with applied(tmp_path, GATEWAY, proxy=proxy) as (context, traffic, client):
        edge = context.options.edge_port
        assert traffic.endpoints() == {
            "edge": f"https://localhost:{edge}",
            "storage": f"localhost:{proxy.port}",
            "envoy administration": f"unix:{context.home.envoy / 'admin.sock'}",
            "authority": str(context.authority.certificate),
        }
        # Nothing listens on the port of the server.
        assert (await client.get(f"https://localhost:{proxy.port}/")).status_code == 503
        assert traffic.notes()[0] == "the bucket has no lifecycle here"


async def test_only_objects_that_are_reached_through_envoy_wait_for_it(tmp_path: Path) -> None:
    context = context_in(tmp_path, MachineOptions(edge_port=free_port()))
    traffic, _ = traffic_of(context)
    not_yet = ["Envoy is not responding yet"]
    assert await traffic.settled(GATEWAY) == not_yet
    assert await traffic.settled(desired(BUCKET, "media", name="media")) == not_yet
    assert await traffic.settled(declared("ConfigMap")) == []
    assert await traffic.waiting() == not_yet
    assert "envoy administration" not in traffic.endpoints()


async def test_envoy_that_does_not_respond_is_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_in(tmp_path, MachineOptions(edge_port=free_port()))
    traffic, envoy = traffic_of(context)

    async def refused() -> list[str]:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(envoy, "applied", refused)
    expected = ["Envoy is not responding: [Errno 111] Connection refused"]
    assert await traffic.settled(GATEWAY) == expected
    assert await traffic.waiting() == expected


async def test_certificate_of_the_edge_has_the_names_of_proxied_records(tmp_path: Path) -> None:
    record = "cloudflare:index/dnsRecord:DnsRecord"
    records = [
        desired(record, name, name=f"{name}.kingdom.studio", proxied=name == "api")
        for name in ("api", "mail")
    ]
    async with applied(tmp_path, GATEWAY, *records) as (context, _, client):
        pem = (context.home.certificates / "edge" / "certificate.pem").read_bytes()
        names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        assert names.value.get_values_for_type(x509.DNSName) == ["api.kingdom.studio", "localhost"]
        response = await client.get("/", extensions={"sni_hostname": "api.kingdom.studio"})
        assert response.status_code == 503
