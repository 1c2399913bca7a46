"""Allocate ports on the loopback interface; an allocation is stored, so that addresses remain stable."""

from __future__ import annotations

import errno
import json
import secrets
import socket
from collections.abc import Iterable
from pathlib import Path

import psutil

from rehearsal.host.errors import MachineError
from rehearsal.host.processes.atomic_files import read_json, write_atomic

LOOPBACK = "127.0.0.1"
# Below the ephemeral port range of Linux and macOS: an outgoing connection must not occupy the port of a
# server that restarts.
_RANGE = range(18_000, 32_000)


def is_free(port: int) -> bool:
    """Return whether no process listens on `port`. TIME_WAIT does not count, as with SO_REUSEADDR."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise MachineError(
                    f"this user is not permitted to open port {port}: set rehearsal:machine.edgePort to "
                    "1024 or above"
                ) from error
            return False
    return True


def holder_pid(port: int) -> int | None:
    """Return the PID of the process that listens on `port`; None if not visible to this user."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return None
    listening = (item for item in connections if item.status == psutil.CONN_LISTEN)
    return next((item.pid for item in listening if tuple(item.laddr)[1:2] == (port,)), None)


def holder(port: int) -> str | None:
    """Return `name (pid N)` of the process that listens on `port`; None if not visible to this user."""
    pid = holder_pid(port)
    if pid is None:
        return None
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


def require_free(port: int, setting: str) -> None:
    """Raise MachineError with the port, the process that uses it, and the setting to change."""
    if not is_free(port):
        raise MachineError(
            f"port {port} is in use by {holder(port) or 'another process'}: "
            f"end that process, or set {setting} to a free port in the stack file"
        )


class Ports:
    """Ports by name, stored in a file. A name retains its port until `release`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._ports: dict[str, int] = dict(read_json(path))
        except FileNotFoundError:
            self._ports = {}
        except (TypeError, ValueError) as error:
            raise MachineError(f"{path} is not a map of names to ports: delete it") from error

    def get(self, name: str) -> int | None:
        return self._ports.get(name)

    def take(self, name: str) -> int:
        """Return the port of `name`; allocate one if it has none."""
        if name not in self._ports:
            taken = set(self._ports.values())
            while (port := secrets.choice(_RANGE)) in taken or not is_free(port):
                pass
            self._ports[name] = port
            self._save()
        return self._ports[name]

    def release(self, names: Iterable[str]) -> None:
        before = len(self._ports)
        for name in names:
            self._ports.pop(name, None)
        if len(self._ports) != before:
            self._save()

    def named(self, prefix: str) -> list[str]:
        return [name for name in self._ports if name.startswith(prefix)]

    def _save(self) -> None:
        write_atomic(self._path, json.dumps(self._ports, indent=1), durable=False)
