"""Ports on the loopback interface: picked free once, then kept, so that addresses stay stable."""

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
# Below the range from which Linux and macOS take the ports of outgoing connections: one of those must not
# stand in the way of a server that comes back on its own port.
_RANGE = range(18_000, 32_000)


def is_free(port: int) -> bool:
    """Whether no process listens on `port`. As for the servers here, TIME_WAIT does not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise MachineError(
                    f"port {port} may not be opened by this user: set rehearsal:machine.edgePort to "
                    "1024 or above"
                ) from error
            return False
    return True


def holder_pid(port: int) -> int | None:
    """The process that listens on `port`, where this user may see it."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return None
    listening = (item for item in connections if item.status == psutil.CONN_LISTEN)
    return next((item.pid for item in listening if tuple(item.laddr)[1:2] == (port,)), None)


def holder(port: int) -> str | None:
    """`name (pid N)` of the process that listens on `port`, where this user may see it."""
    pid = holder_pid(port)
    if pid is None:
        return None
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


def require_free(port: int, setting: str) -> None:
    """Raises MachineError with the port, who holds it, and which setting to change."""
    if not is_free(port):
        raise MachineError(
            f"port {port} is in use by {holder(port) or 'another process'}: "
            f"end that process, or set {setting} to a free port in the stack file"
        )


class Ports:
    """Names to ports, in a file. A port stays with its name until `release`."""

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
        """The port of `name`, picked now if it has none."""
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
