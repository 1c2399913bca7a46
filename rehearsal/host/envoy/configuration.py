"""Everything that Envoy does on this machine, put together from the parts and published when it changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rehearsal.host.backends.web_app import NAME as WEB_APP
from rehearsal.host.backends.web_app import PREFIX, WebApp
from rehearsal.host.component import LOCAL_NAMES, READY, Context, Front, Outcome
from rehearsal.host.desired_state import Desired
from rehearsal.host.envoy import edge_listener, gateway_listener
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
        edge_listener.RULESET,
        edge_listener.SETTING,
        edge_listener.RECORD,
    }
)


class Backing(Protocol):
    """A part with servers behind Envoy."""

    types: frozenset[str]

    def fronts(self) -> list[Front]: ...


class Traffic:
    """Edge, gateway and fronts."""

    types = _KINDS

    def __init__(
        self,
        context: Context,
        envoy: Envoy,
        backings: Sequence[Backing],
        workloads: Workloads,
        web_app: WebApp,
    ) -> None:
        self._context = context
        self._envoy = envoy
        self._backings = backings
        self._workloads = workloads
        self._web_app = web_app
        self._notes: list[str] = []

    async def sync(self) -> None:
        context, store = self._context, self._context.store
        fronts = [self._envoy.front(front) for backing in self._backings for front in backing.fronts()]
        routing = gateway_listener.routing(store)
        names = [*LOCAL_NAMES, *(name for name in edge_listener.hostnames(store) if name not in LOCAL_NAMES)]
        leaf = context.authority.server(context.home.certificates / "edge", names)
        outer = edge_listener.edge(
            store,
            context.options.edge_port,
            leaf,
            self._envoy.routes_file(edge_listener.NAME),
        )
        web_app_port = self._web_app.port
        if web_app_port is not None:
            edge_listener.add_web_app(outer.routes, PREFIX, WEB_APP)
        if edge_listener.filters_requests(store):  # else `/` belongs to the service
            add_start_page(outer.routes, context.options.edge_port, "" if web_app_port is None else PREFIX)
        listeners = [
            outer.listener,
            gateway_listener.listener(self._envoy.routes_file(gateway_listener.NAME)),
        ]
        clusters = [gateway_listener.inner_cluster()]
        if web_app_port is not None:
            clusters.append(edge_listener.web_app_cluster(WEB_APP, web_app_port))
        endpoints: dict[str, Resource] = {}
        for backend in routing.backends:
            file = self._envoy.endpoints_file(backend.cluster)
            clusters.append(gateway_listener.cluster(backend, store, file))
            ready = self._workloads.backends(backend.namespace, backend.service, backend.port)
            endpoints[backend.cluster] = gateway_listener.assignment(backend, ready, store)
        for listener, cluster in fronts:
            listeners.append(listener)
            clusters.append(cluster)
        self._envoy.publish(
            listeners,
            clusters,
            endpoints,
            {edge_listener.NAME: outer.routes, gateway_listener.NAME: routing.routes},
        )
        self._notes = [*outer.notes, *routing.notes]

    async def outcome(self, desired: Desired) -> Outcome:
        return READY

    async def settled(self, desired: Desired) -> list[str]:
        """[] when Envoy has taken over what an object changed in its configuration; else why it has not."""
        backed = any(desired.type in backing.types for backing in self._backings)
        if not backed and desired.kind not in self.types and desired.type not in self.types:
            return []
        try:
            return await self._envoy.applied()
        except OSError as error:
            return [f"Envoy does not answer: {error}"]

    async def waiting(self) -> list[str]:
        """[] when Envoy runs what was published and reaches what is behind it; else what is missing."""
        try:
            return await self._envoy.applied() or await self._envoy.unserved()
        except OSError as error:
            return [f"Envoy does not answer: {error}"]

    def endpoints(self) -> dict[str, str]:
        """Addresses to speak to, by name."""
        found = {"edge": f"https://localhost:{self._context.options.edge_port}"}
        for backing in self._backings:
            for front in backing.fronts():
                found[front.name] = f"localhost:{front.port}"
        if self._context.processes.get(ENVOY):
            found["envoy administration"] = f"unix:{self._envoy.folder / 'admin.sock'}"
        found["authority"] = str(self._context.authority.certificate)
        return found

    def notes(self) -> list[str]:
        said = [note for backing in self._backings for note in getattr(backing, "notes", list)()]
        return [*said, *self._notes]
