"""Build the complete Envoy configuration from the declared objects and publish changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from rehearsal.host.backends.web_app import NAME as WEB_APP
from rehearsal.host.backends.web_app import PREFIX, WebApp
from rehearsal.host.component import LOCAL_NAMES, READY, Context, Readiness, TlsProxy
from rehearsal.host.desired_state import Desired
from rehearsal.host.envoy import (
    cloudflare_zone,
    edge_listener,
    gateway_listener,
    oversized_bodies,
    session_affinity,
)
from rehearsal.host.envoy.process import NAME as ENVOY
from rehearsal.host.envoy.process import Envoy, Resource
from rehearsal.host.envoy.start_page import add_start_page
from rehearsal.host.kubernetes.controllers import Workloads

_KINDS = frozenset(
    {
        "Gateway",
        "HTTPRoute",
        "HealthCheckPolicy",
        "GCPBackendPolicy",
        "GCPTrafficDistributionPolicy",
        cloudflare_zone.RULESET,
        cloudflare_zone.SETTING,
        cloudflare_zone.RECORD,
    }
)


class ProxiedBackend(Protocol):
    """Component whose servers are reached through Envoy."""

    types: frozenset[str]

    def tls_proxies(self) -> list[TlsProxy]: ...


class Traffic:
    """Edge, gateway and tls_proxies."""

    types = _KINDS

    def __init__(
        self,
        context: Context,
        envoy: Envoy,
        backends: Sequence[ProxiedBackend],
        workloads: Workloads,
        web_app: WebApp,
    ) -> None:
        self._context = context
        self._envoy = envoy
        self._backends = backends
        self._workloads = workloads
        self._web_app = web_app
        self._notes: list[str] = []
        self._refusing: asyncio.Server | None = None

    async def sync(self) -> None:
        context, store = self._context, self._context.store
        tls_proxies = [
            self._envoy.tls_proxy(proxy) for component in self._backends for proxy in component.tls_proxies()
        ]
        routing = gateway_listener.routing(store)
        names = [
            *LOCAL_NAMES,
            *(name for name in cloudflare_zone.hostnames(store) if name not in LOCAL_NAMES),
        ]
        leaf = context.authority.server(context.home.certificates / "edge", names)
        outer = edge_listener.edge(
            store,
            context.options.edge_port,
            leaf,
            self._envoy.routes_file(edge_listener.NAME),
            self._envoy.cache_folder,
        )
        web_app_port = self._web_app.port
        if web_app_port is not None:
            edge_listener.add_web_app(outer.routes, PREFIX, WEB_APP)
        if edge_listener.filters_requests(store):  # otherwise the service serves `/`
            add_start_page(outer.routes, context.options.edge_port, "" if web_app_port is None else PREFIX)
        listeners = [
            outer.listener,
            gateway_listener.listener(self._envoy.routes_file(gateway_listener.NAME)),
        ]
        clusters = [gateway_listener.inner_cluster(), await self._oversized_bodies()]
        if web_app_port is not None:
            clusters.append(edge_listener.local_cluster(WEB_APP, web_app_port))
        endpoints: dict[str, Resource] = {}
        replica_ports: set[int] = set()
        for backend in routing.backends:
            file = self._envoy.endpoints_file(backend.cluster)
            clusters.append(gateway_listener.cluster(backend, store, file))
            ready = self._workloads.backends(backend.namespace, backend.service, backend.port)
            replica_ports.update(port for _, port in ready)
            endpoints[backend.cluster] = gateway_listener.assignment(backend, ready, store)
        key = session_affinity.token_key(self._envoy.folder / "affinity.key")
        session_affinity.add_replicas(routing.routes, replica_ports, key)
        for listener, cluster in tls_proxies:
            listeners.append(listener)
            clusters.append(cluster)
        self._envoy.publish(
            listeners,
            clusters,
            endpoints,
            {edge_listener.NAME: outer.routes, gateway_listener.NAME: routing.routes},
        )
        self._notes = [*outer.notes, *routing.notes]

    async def _oversized_bodies(self) -> Resource:
        """Return the cluster of the server for oversized bodies; start the server on the first call."""
        if self._refusing is None:
            self._refusing = await oversized_bodies.serve()
        return edge_listener.local_cluster(oversized_bodies.NAME, oversized_bodies.port_of(self._refusing))

    async def readiness(self, desired: Desired) -> Readiness:
        return READY

    async def settled(self, desired: Desired) -> list[str]:
        """Return why Envoy has not applied the configuration of `desired` yet; [] if it has."""
        backed = any(desired.type in component.types for component in self._backends)
        if not backed and desired.kind not in self.types and desired.type not in self.types:
            return []
        try:
            return await self._envoy.applied()
        except OSError as error:
            return [f"Envoy is not responding: {error}"]

    async def waiting(self) -> list[str]:
        """Return why Envoy is not ready (configuration not applied, endpoints unhealthy); [] when ready."""
        try:
            return await self._envoy.applied() or await self._envoy.unserved()
        except OSError as error:
            return [f"Envoy is not responding: {error}"]

    def endpoints(self) -> dict[str, str]:
        """Return the addresses of all endpoints by name."""
        found = {"edge": f"https://localhost:{self._context.options.edge_port}"}
        for component in self._backends:
            for tls_proxy in component.tls_proxies():
                found[tls_proxy.name] = f"localhost:{tls_proxy.port}"
        if self._context.processes.get(ENVOY):
            found["envoy administration"] = f"unix:{self._envoy.folder / 'admin.sock'}"
        found["authority"] = str(self._context.authority.certificate)
        return found

    def notes(self) -> list[str]:
        notes = [note for component in self._backends for note in getattr(component, "notes", list)()]
        return [*notes, *self._notes]
