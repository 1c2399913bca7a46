"""The providers of one operation: one configured instance per provider resource."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from rehearsal import crash_log
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.engine.state.snapshot_manager import SnapshotManager
from rehearsal.errors import KingdomError
from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi.properties import Properties, Value, contains_unknown, encode, unwrap
from rehearsal.pulumi.urn import package_of, split_reference

# An implementation of Pulumi's ResourceProvider protocol, called in process with the protocol's messages.
Provider = Any
ProviderFactory = Callable[[str], Provider]

# Keys of a provider resource's inputs that are for the engine, not for the provider.
ENGINE_KEYS: Final = frozenset({"version", "pluginDownloadURL", "__internal"})


class GuardedProvider:
    """Wrapper of a provider that converts unexpected exceptions to internal errors.

    The traceback is written to a log in `folder`, if that is writable, and the error contains its path.
    """

    def __init__(self, provider: Provider, package: str, folder: Path | None) -> None:
        self.provider = provider
        self._package = package
        self._folder = folder

    def __getattr__(self, method: str) -> Any:
        call = getattr(self.provider, method)

        def guarded(request: Any, context: Any = None) -> Any:
            try:
                return call(request, context)
            except (ProviderError, KingdomError):
                raise
            except Exception as error:
                about = getattr(request, "urn", "") or getattr(request, "tok", "")
                text = (
                    f"internal error in the rehearsal's {self._package} provider, {method} {about}".rstrip()
                )
                log = crash_log.record(error, self._folder) if self._folder else None
                where = f" (details in {log})" if log else ""
                raise ProviderError(
                    grpc.StatusCode.INTERNAL, f"{text}: {type(error).__name__}: {error}{where}"
                ) from error

        return guarded


class UnconfiguredProvider:
    """Placeholder for a provider whose configuration contains unknowns, in a preview.

    The provider is not called; its results are unknown (``pcfg.known`` in
    ``pkg/resource/plugin/provider_plugin.go``).
    """

    def Check(self, request: provider_pb2.CheckRequest, context: Any = None) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: provider_pb2.DiffRequest, context: Any = None) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_UNKNOWN)

    def Create(self, request: provider_pb2.CreateRequest, context: Any = None) -> provider_pb2.CreateResponse:
        return provider_pb2.CreateResponse()

    def Update(self, request: provider_pb2.UpdateRequest, context: Any = None) -> provider_pb2.UpdateResponse:
        return provider_pb2.UpdateResponse()

    def Read(self, request: provider_pb2.ReadRequest, context: Any = None) -> provider_pb2.ReadResponse:
        return provider_pb2.ReadResponse(id=request.id)

    def Invoke(self, request: provider_pb2.InvokeRequest, context: Any = None) -> provider_pb2.InvokeResponse:
        return provider_pb2.InvokeResponse()

    def Cancel(self, request: empty_pb2.Empty, context: Any = None) -> empty_pb2.Empty:
        return request


class ProviderRegistry:
    """Configured providers by reference ``<urn>::<id>``, created from the records. Thread-safe.

    `optional` has pairs (package, key) of configuration that is omitted if it is unknown. `log` receives the
    lines that providers with processes of their own print.
    """

    def __init__(
        self,
        factory: ProviderFactory,
        snapshot: SnapshotManager,
        folder: Path | None = None,
        optional: Collection[tuple[str, str]] = (),
        log: Callable[[str], None] | None = None,
    ) -> None:
        self._log = log
        self._optional = optional
        self._factory = factory
        self._snapshot = snapshot
        self._folder = folder
        self._configured: dict[str, Provider] = {}
        self._schemas: dict[str, Provider] = {}
        # Reentrant, because a signal handler may cancel while its own thread is in here.
        self._lock = threading.RLock()

    def _make(self, package: str) -> Provider:
        provider = self._factory(package)
        if self._log is not None and hasattr(provider, "listener"):
            provider.listener = self._log
        return GuardedProvider(provider, package, self._folder)

    def unconfigured(self, package: str) -> Provider:
        """Return an instance for CheckConfig and DiffConfig."""
        with self._lock:
            if package not in self._schemas:
                self._schemas[package] = self._make(package)
            return self._schemas[package]

    def configure(self, record: ResourceState) -> Provider:
        """Configure the provider of `record`, again if it was configured before. Raises ProviderError."""
        package = package_of(record.type)
        args = {
            key: value
            for key, value in record.inputs.items()
            if key not in ENGINE_KEYS and not ((package, key) in self._optional and contains_unknown(value))
        }
        if contains_unknown(args):
            return self._store(record, UnconfiguredProvider())
        provider = self._make(package)
        provider.Configure(
            provider_pb2.ConfigureRequest(
                args=encode(args),
                variables={f"{package}:config:{key}": _variable(value) for key, value in args.items()},
                acceptSecrets=True,
                acceptResources=True,
                sends_old_inputs=True,
                sends_old_inputs_to_delete=True,
            ),
            None,
        )
        return self._store(record, provider)

    def _store(self, record: ResourceState, provider: Provider) -> Provider:
        with self._lock:
            self._configured[f"{record.urn}::{record.id}"] = provider
        return provider

    def get(self, reference: str) -> Provider:
        """Return the provider of `reference`, configured from its record if needed. Raises ProviderError."""
        with self._lock:
            if (known := self._configured.get(reference)) is not None:
                return known
        record = self._snapshot.by_id(*split_reference(reference))
        if record is None:
            raise ProviderError(
                grpc.StatusCode.NOT_FOUND, f"its provider {reference or '(none)'} is not in the state"
            )
        with self._lock:
            return self._configured.get(reference) or self.configure(record)

    def models_function(self, reference: str, token: str) -> bool:
        """Return whether the provider of `reference` models the function `token`; True if unspecified."""
        provider = self.get(reference)
        inner = provider.provider if isinstance(provider, GuardedProvider) else provider
        models = getattr(inner, "models_function", None)
        return True if models is None else bool(models(token))

    def moved(self, old: str, new: str) -> bool:
        """Return whether a resource must be replaced when its provider changes from `old` to `new`.

        This is the case if DiffConfig of the two configurations requires a replacement
        (``providerChanged`` in ``pkg/resource/deploy/step_generator.go``).
        """
        if old == new or not old or not new:
            return False
        before = self._snapshot.by_id(*split_reference(old))
        after = self._snapshot.by_id(*split_reference(new))
        if before is None or after is None:
            return False
        request = provider_pb2.DiffRequest(
            id=after.id,
            urn=after.urn,
            type=after.type,
            olds=encode(configuration(before.outputs)),
            old_inputs=encode(configuration(before.inputs)),
            news=encode(configuration(after.inputs)),
        )
        response = self.unconfigured(package_of(after.type)).DiffConfig(request, None)
        return bool(response.replaces)

    def close(self) -> None:
        """End the processes of providers that have one; their output is logged when this returns."""
        with self._lock:
            providers = [*self._configured.values(), *self._schemas.values()]
        for provider in providers:
            inner = provider.provider if isinstance(provider, GuardedProvider) else provider
            if (close := getattr(inner, "close", None)) is not None:
                close()

    def cancel(self) -> None:
        """Cancel the operations of all providers."""
        with self._lock:
            providers = [*self._configured.values(), *self._schemas.values()]
        for provider in providers:
            provider.Cancel(empty_pb2.Empty(), None)


def configuration(inputs: Properties) -> Properties:
    """Return the inputs of a provider resource without the keys of the engine."""
    return {key: value for key, value in inputs.items() if key not in ENGINE_KEYS}


def _variable(value: Value) -> str:
    plain = unwrap(value)
    return plain if isinstance(plain, str) else json.dumps(plain, default=str)
