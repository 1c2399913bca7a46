"""Interface of host components, and what they share: context, readiness and TLS proxies."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rehearsal.host.desired_state import Desired, DesiredStore
from rehearsal.host.envoy.certificate_authority import Authority
from rehearsal.host.options import MachineOptions
from rehearsal.host.paths import Home
from rehearsal.host.processes.ports import LOOPBACK, Ports
from rehearsal.host.processes.process import Processes

# Subject alternative names of local server certificates.
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class TlsProxy:
    """Envoy listener in front of a local server: forwards `port` to `upstream`, both on loopback.

    `tls` terminates TLS; False if the resource is declared without TLS. `client_certificates` requires a
    client certificate of the local authority. `http` proxies HTTP requests instead of a TCP stream.
    """

    name: str
    port: int
    upstream: int
    tls: bool = True
    client_certificates: bool = False
    http: bool = False


@dataclass(frozen=True)
class Readiness:
    """Readiness of an object with its outputs.

    `reasons` state why it is not ready; `failed` means that it cannot become ready without a change.
    """

    ready: bool
    outputs: dict[str, Any] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    failed: bool = False


READY = Readiness(ready=True)


@dataclass(frozen=True)
class Context:
    """Shared objects of all components of one host."""

    home: Home
    options: MachineOptions
    project: Path
    store: DesiredStore
    ports: Ports
    authority: Authority
    processes: Processes


class Component(Protocol):
    """Emulates the desired objects of some resource types."""

    types: frozenset[str]

    async def sync(self) -> None:
        """Start, change or stop processes so that they match the store. Called after every change."""
        ...

    async def readiness(self, desired: Desired) -> Readiness: ...


def base_environment() -> dict[str, str]:
    """Return the environment of every process: PATH (this virtual environment first), home, locale, TZ."""
    inherited = {name: os.environ[name] for name in ("HOME", "LANG", "LC_ALL", "TZ") if name in os.environ}
    path = os.pathsep.join([str(tools()), os.environ.get("PATH", os.defpath)])
    return {**inherited, "PATH": path, "PYTHONUNBUFFERED": "1"}


def tools() -> Path:
    """Return the folder of this virtual environment's commands."""
    return Path(sys.executable).parent


async def accepts(port: int) -> bool:
    """Return whether a process accepts connections on `port`."""
    with suppress(OSError):
        _, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.close()
        return True
    return False
