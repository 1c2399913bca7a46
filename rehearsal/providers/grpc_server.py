"""Serve the simulated providers over gRPC to the real Pulumi CLI.

The CLI connects to the providers that `PULUMI_DEBUG_PROVIDERS` names (`name:port`, separated by commas)
instead of starting plugins. They are the same classes that the rehearsal engine calls in process.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent import futures
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NoReturn

import grpc
from google.protobuf import any_pb2
from google.rpc import status_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from rehearsal import interrupts
from rehearsal.providers import CLOUDS, provider
from rehearsal.providers.base import Cloud
from rehearsal.providers.errors import InitFailedError, ProviderError
from rehearsal.providers.host_protocol import EmulationHost
from rehearsal.pulumi.properties import encode

VARIABLE: Final = "PULUMI_DEBUG_PROVIDERS"
_LOG: Final = logging.getLogger(__name__)
# The CLI's own limit (`sdk/go/common/util/rpcutil`): states hold whole dashboards and manifests.
_MAX_MESSAGE_BYTES: Final = 400 * 1024 * 1024
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # a port that is in use must be an error, not shared
)
# More connections than one command opens. The CLI closes them when a command ends; the oldest are dropped.
_MAX_CONNECTIONS: Final = 256
_IMPLEMENTED: Final = (
    "Attach", "Cancel", "Check", "CheckConfig", "Configure", "Create", "Delete", "Diff", "DiffConfig",
    "GetPluginInfo", "Handshake", "Invoke", "Read", "Update",
)  # fmt: skip


@dataclass(frozen=True)
class Endpoints:
    """The ports of the providers on the loopback address, by package."""

    ports: Mapping[str, int]

    @property
    def value(self) -> str:
        """Return the value of the variable: ``gcp:4001,kubernetes:4002``."""
        return ",".join(f"{package}:{port}" for package, port in self.ports.items())

    @property
    def line(self) -> str:
        """Return the assignment ``PULUMI_DEBUG_PROVIDERS=gcp:4001,…`` for a shell."""
        return f"{VARIABLE}={self.value}"

    def as_json(self) -> str:
        return json.dumps({"variable": VARIABLE, "value": self.value, "ports": dict(self.ports)})


def serve(
    on_ready: Callable[[Endpoints], None],
    *,
    packages: Iterable[str] = CLOUDS,
    machine: EmulationHost | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Serve `packages` on free loopback ports until SIGINT, SIGTERM or `stop`; blocks.

    `on_ready` is called once, when every port accepts connections. Signal handlers are set only in the main
    thread, and restored at the end.
    """
    stop = stop or threading.Event()
    with ExitStack() as stack:
        stack.enter_context(interrupts.stopping(stop))
        ports: dict[str, int] = {}
        for package in packages:
            server, ports[package] = start(partial(provider, package, machine))
            stack.callback(lambda server=server: server.stop(grace=1.0).wait())
        on_ready(Endpoints(ports))
        interrupts.wait(stop)


def start(make: Callable[[], Cloud], *, workers: int = 32) -> tuple[grpc.Server, int]:
    """Start a gRPC server on a free loopback port; return it and the port.

    `make` creates a provider, one for each connection. `workers` limits the requests in progress; the request
    for an emulated resource lasts until the resource is ready.
    """
    pool = futures.ThreadPoolExecutor(workers, thread_name_prefix="cloud")
    server = grpc.server(pool, options=_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Adapter(make), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


class Adapter(provider_pb2_grpc.ResourceProviderServicer):
    """Passes gRPC requests to providers and converts their exceptions to the statuses of Pulumi's protocol.

    Each connection has a provider of its own, because the CLI opens one per provider resource and configures
    it. The CLI does not configure a reopened connection again, so it uses the latest configured provider.
    """

    def __init__(self, make: Callable[[], Cloud]) -> None:
        self._make = make
        self._clouds: dict[str, Cloud] = {}  # by connection; the most recently used one is last
        self._configured: Cloud | None = None
        self._lock = threading.Lock()
        for name in _IMPLEMENTED:
            setattr(self, name, _adapted(partial(self._call, name)))

    def _call(self, name: str, request: Any, context: grpc.ServicerContext) -> Any:
        peer = context.peer()
        with self._lock:
            cloud = self._clouds.pop(peer, None)
            if name == "Configure":
                cloud = self._configured = self._make()
            self._clouds[peer] = cloud = cloud or self._configured or self._make()
            if name == "Invoke":  # the CLI refuses unknown values in the results of functions
                request.preview = False
            if len(self._clouds) > _MAX_CONNECTIONS:
                del self._clouds[next(iter(self._clouds))]
        return getattr(cloud, name)(request, context)


def _adapted(method: Callable[[Any, Any], Any]) -> Callable[[Any, grpc.ServicerContext], Any]:
    def call(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(request, context)
        except InitFailedError as error:
            _abort_with_details(context, error)
        except ProviderError as error:
            context.abort(error.code, error.message)
        except Exception as error:
            _LOG.exception("the provider failed on a %s", type(request).__name__)
            context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")

    return call


def _abort_with_details(context: grpc.ServicerContext, error: InitFailedError) -> NoReturn:
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=error.id,
            properties=encode(error.properties),
            inputs=encode(error.inputs),
            reasons=error.reasons,
        )
    )
    code: int = error.code.value[0]
    status = status_pb2.Status(code=code, message=error.message, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(error.code, error.message)
