"""The providers of one operation: one configured instance for each provider resource."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.urn import package_of
from rehearsal.properties import Properties, Value, encode, unwrap

# What a factory returns speaks Pulumi's ResourceProvider protocol, called in process with its own messages.
Provider = Any
ProviderFactory = Callable[[str], Provider]

# Keys of a provider resource's inputs that are for the engine, not for the provider.
_ENGINE_KEYS: Final = frozenset({"version", "pluginDownloadURL", "__internal"})


class Registry:
    """Providers by reference ``<urn>::<id>``. Thread-safe."""

    def __init__(self, factory: ProviderFactory) -> None:
        self._factory = factory
        self._configured: dict[str, Provider] = {}
        self._schemas: dict[str, Provider] = {}
        self._lock = threading.Lock()

    def unconfigured(self, package: str) -> Provider:
        """An instance for checking and comparing provider inputs."""
        with self._lock:
            if package not in self._schemas:
                self._schemas[package] = self._factory(package)
            return self._schemas[package]

    def configure(self, reference: str, type_: str, inputs: Properties) -> Provider:
        """The provider for `reference`, configured with `inputs`; made on first use."""
        with self._lock:
            if (known := self._configured.get(reference)) is not None:
                return known
        provider = self._factory(package_of(type_))
        args = {key: value for key, value in inputs.items() if key not in _ENGINE_KEYS}
        provider.Configure(
            provider_pb2.ConfigureRequest(
                args=encode(args),
                variables={
                    f"{package_of(type_)}:config:{key}": _variable(value) for key, value in args.items()
                },
                acceptSecrets=True,
                acceptResources=True,
                sends_old_inputs=True,
                sends_old_inputs_to_delete=True,
            ),
            None,
        )
        with self._lock:
            return self._configured.setdefault(reference, provider)

    def get(self, reference: str) -> Provider | None:
        with self._lock:
            return self._configured.get(reference)

    def cancel(self) -> None:
        """Asks every provider to give up what it is doing."""
        from google.protobuf import empty_pb2

        with self._lock:
            providers = [*self._configured.values(), *self._schemas.values()]
        for provider in providers:
            provider.Cancel(empty_pb2.Empty(), None)


def _variable(value: Value) -> str:
    import json

    plain = unwrap(value)
    return plain if isinstance(plain, str) else json.dumps(plain, default=str)
