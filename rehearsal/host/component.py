"""Shared by the parts of the machine: paths, and the state that a part reports."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rehearsal.host.desired_state import Desired, Store
from rehearsal.host.envoy.certificate_authority import Authority
from rehearsal.host.options import MachineOptions
from rehearsal.host.paths import Home
from rehearsal.host.processes.ports import LOOPBACK, Ports
from rehearsal.host.processes.process import Processes

# Names a server certificate of this machine is good for.
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Front:
    """A listener of Envoy before a local server: what comes to `port` goes to `upstream`, both on loopback.

    `tls` False leaves the line as plain as it was declared. `client_certificates` requires one of the local
    authority. `http` proxies requests, not bytes.
    """

    name: str
    port: int
    upstream: int
    tls: bool = True
    client_certificates: bool = False
    http: bool = False


@dataclass(frozen=True)
class Outcome:
    """How far an object is. `failed` means that waiting is of no use; `reasons` state why it is not ready."""

    ready: bool
    outputs: dict[str, Any] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    failed: bool = False


READY = Outcome(ready=True)


@dataclass(frozen=True)
class Context:
    """The common ground of all parts of one machine."""

    home: Home
    options: MachineOptions
    project: Path
    store: Store
    ports: Ports
    authority: Authority
    processes: Processes


class Part(Protocol):
    """One component: makes the objects of the store real, a step at a time."""

    types: frozenset[str]

    async def sync(self) -> None:
        """Start, change or stop processes so that they match the store. Called after every change."""
        ...

    async def outcome(self, desired: Desired) -> Outcome: ...


def base_environment() -> dict[str, str]:
    """Environment of every process: the path with this virtual environment first, home, locale, time zone."""
    inherited = {name: os.environ[name] for name in ("HOME", "LANG", "LC_ALL", "TZ") if name in os.environ}
    path = os.pathsep.join([str(tools()), os.environ.get("PATH", os.defpath)])
    return {**inherited, "PATH": path, "PYTHONUNBUFFERED": "1"}


def tools() -> Path:
    """The folder of this virtual environment's commands."""
    return Path(sys.executable).parent


async def accepts(port: int) -> bool:
    """Whether a process accepts connections on `port`."""
    with suppress(OSError):
        _, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.close()
        return True
    return False
