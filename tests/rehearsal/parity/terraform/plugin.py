"""A Terraform provider as a process: started, configured and called without the Terraform CLI.

The handshake is that of hashicorp/go-plugin: the provider prints one line with its protocol version and the
address it listens at. Its network is a proxy that refuses; the loopback range is reached directly.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from tests.rehearsal.parity.terraform.protocol import METHODS, messages
from tests.rehearsal.parity.terraform.values import Block, decode, encode, read_block

_COOKIE: Final = (
    "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"  # of go-plugin's handshake
)
_NO_NETWORK: Final = "http://127.0.0.1:9"  # the discard port: connections are refused at once
_MAX_MESSAGE: Final = 512 << 20  # a provider's schema has tens of megabytes
_SECONDS: Final = 120.0  # for one call; a provider that waits for the network fails the test
NAMES: Final = {
    "gcp": ("terraform-provider-google-beta", "terraform-provider-google"),
    "cloudflare": ("terraform-provider-cloudflare",),
    "mongodbatlas": ("terraform-provider-mongodbatlas",),
}


@dataclass(frozen=True)
class Finding:
    """An error that a provider returned; `path` is empty for one about the whole resource."""

    path: tuple[str | int, ...]
    text: str


class EndedError(Exception):
    """The process of a provider ended during a call, as it does when its code panics."""


@dataclass(frozen=True)
class Planned:
    """A planned state, the paths that require a new resource, and the errors of the plan."""

    state: Any
    replaces: frozenset[tuple[str | int, ...]]
    errors: tuple[Finding, ...]
    private: bytes = b""


def environment() -> dict[str, str]:
    """The environment of a provider: no credentials of the user, no network."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "HTTP_PROXY": _NO_NETWORK,
        "HTTPS_PROXY": _NO_NETWORK,
        "NO_PROXY": "127.0.0.1,localhost",
        "TF_PLUGIN_MAGIC_COOKIE": _COOKIE,
        "PLUGIN_PROTOCOL_VERSIONS": "5,6",
    }


def folder() -> Path | None:
    """The folder of Terraform providers that ``PROVIDERS`` names."""
    named = os.environ.get("PROVIDERS")
    return Path(named) if named else None


def find(package: str) -> Path | None:
    """Return the provider of a Pulumi package in the folder, also where its name ends with a version."""
    if (place := folder()) is None:
        return None
    for name in NAMES.get(package, ()):
        found = [*place.glob(name), *sorted(place.glob(f"{name}_v*"), reverse=True)]
        for path in found:
            if path.is_file() and os.access(path, os.X_OK):
                return path
    return None


class TerraformProvider:
    """A running provider: each call encodes a whole object by the provider's own schema."""

    def __init__(self, start: Callable[[], tuple[grpc.Channel, int]]) -> None:
        self._start = start
        self._channel, self._version = start()
        self._configured: Mapping[str, Any] | None = None
        response = self._call("schema")
        self.schemas: Mapping[str, Any] = {entry.key: entry.value for entry in response.resource_schemas}
        self.configuration = read_block(response.provider.block)
        self._blocks: dict[str, Block] = {}

    def block(self, name: str) -> Block:
        """The attributes and blocks of a resource type."""
        if name not in self._blocks:
            self._blocks[name] = read_block(self.schemas[name].block)
        return self._blocks[name]

    def configure(self, values: Mapping[str, Any]) -> list[Finding]:
        """Configure the provider; attributes that are not named are null."""
        self._configured = values
        config = _dynamic(self.configuration.complete(values))
        response = self._call("configure", terraform_version="1.9.0", config=config)
        return _errors(response)

    def validate(self, name: str, config: Any) -> list[Finding]:
        """Return the errors of a resource's configuration."""
        return _errors(self._call("validate", type_name=name, config=_dynamic(config)))

    def plan(self, name: str, prior: Any, config: Any, private: bytes = b"") -> Planned:
        """Plan the change from `prior` (None to create) to `config`."""
        proposed = self.block(name).proposed(prior, config)
        response = self._call(
            "plan",
            type_name=name,
            prior_state=_dynamic(prior),
            proposed_new_state=_dynamic(proposed),
            config=_dynamic(config),
            prior_private=private,
        )
        replaces = frozenset(_path(one) for one in response.requires_replace)
        state = decode(response.planned_state.msgpack) if response.planned_state.msgpack else None
        return Planned(state, replaces, tuple(_errors(response)), response.planned_private)

    def apply(self, name: str, prior: Any, planned: Planned, config: Any) -> tuple[Any, list[Finding], bytes]:
        """Apply a plan; return the new state, the errors and the provider's private data."""
        response = self._call(
            "apply",
            type_name=name,
            prior_state=_dynamic(prior),
            planned_state=_dynamic(planned.state),
            config=_dynamic(config),
            planned_private=planned.private,
        )
        return decode(response.new_state.msgpack), _errors(response), response.private

    def read(self, name: str, state: Any, private: bytes = b"") -> tuple[Any, list[Finding]]:
        """Refresh a state from the API."""
        response = self._call("read", type_name=name, current_state=_dynamic(state), private=private)
        return decode(response.new_state.msgpack) if response.new_state.msgpack else None, _errors(response)

    def _call(self, method: str, **fields: Any) -> Any:
        request = messages[f"{method}Request"](**fields)
        call = self._channel.unary_unary(
            f"/tfplugin{self._version}.Provider/{METHODS[self._version][method]}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=messages[f"{method}Response"].FromString,
        )
        try:
            return call(request, timeout=_SECONDS)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            self._channel, self._version = self._start()
            if self._configured is not None:
                self.configure(self._configured)
            raise EndedError(f"the provider ended during {method}") from error


@contextlib.contextmanager
def running(plugin: Path) -> Iterator[TerraformProvider]:
    """Start a provider, yield it, and end it. One that ends by itself is started again."""
    with contextlib.ExitStack() as stack:
        yield TerraformProvider(lambda: stack.enter_context(_connected(plugin)))


@contextlib.contextmanager
def _connected(plugin: Path) -> Iterator[tuple[grpc.Channel, int]]:
    """Start a process, and yield the channel to it with the version of its protocol."""
    process = subprocess.Popen(
        [str(plugin)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment()
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()  # "1|6|unix|ADDRESS|grpc|"
        fields = line.split("|")
        assert len(fields) >= 5, f"{plugin} printed {line!r} instead of go-plugin's handshake"
        version, kind, address = int(fields[1]), fields[2], fields[3]
        target = f"unix:{address}" if kind == "unix" else address
        options = [
            ("grpc.max_receive_message_length", _MAX_MESSAGE),
            ("grpc.max_send_message_length", _MAX_MESSAGE),
            ("grpc.enable_http_proxy", 0),
        ]
        with grpc.insecure_channel(target, options) as channel:
            yield channel, version
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _dynamic(value: Any) -> Any:
    return messages["DynamicValue"](msgpack=encode(value))


def _errors(response: Any) -> list[Finding]:
    return [
        Finding(_path(one.attribute), f"{one.summary} {one.detail}".strip())
        for one in response.diagnostics
        if one.severity == 1
    ]


def _path(path: Any) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    for step in path.steps:
        if step.attribute_name:
            steps.append(step.attribute_name)
        elif step.element_key_string:
            steps.append(step.element_key_string)
        else:
            steps.append(int(step.element_key_int))
    return tuple(steps)
