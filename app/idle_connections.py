"""Close idle connections of clients when a pod has almost as many as its server accepts.

The server waits ten seconds for the headers of a request. Clients that connect and send nothing would occupy
all of its connections, and the probes of the pod would fail. Only on Linux.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from typing import Final

import structlog

log = structlog.get_logger()

_INTERVAL_SECONDS: Final = 0.25
# A proxy sends a request at once; its idle connections may be closed at any time (RFC 9112, section 9.5).
_IDLE_MILLISECONDS: Final = 300
_CROWDED_SHARE: Final = 0.5
_DESCRIPTORS: Final = "/proc/self/fd"
_ESTABLISHED: Final = 1
# Of `struct tcp_info` (linux/tcp.h): milliseconds since data was sent and received; since the connection was
# accepted if there was none.
_LAST_SENT: Final = 44
_LAST_RECEIVED: Final = 52
_INFO_BYTES: Final = 104

Peer = tuple[str, str]

# Address and port of each client whose request is being processed; the server passes both as texts, or none.
in_flight: Final[set[Peer | None]] = set()


class IdleConnections:
    """Connections to ``port`` of this process, of which the server accepts ``max_connections``."""

    def __init__(self, port: int, max_connections: int) -> None:
        self._port = port
        self._crowded = int(max_connections * _CROWDED_SHARE)

    async def run(self) -> None:
        """Close idle connections until cancelled, while more than half of all are open."""
        if not sys.platform.startswith("linux"):
            return
        while True:
            await asyncio.sleep(_INTERVAL_SECONDS)
            try:
                if len(_descriptors()) > self._crowded:
                    closed = await asyncio.to_thread(self.close_idle)
                    if closed:
                        log.warning("idle connections closed", count=closed)
            except OSError as error:  # no descriptor is left, not even for the list of them
                log.warning("idle connections not closed", error=str(error))

    def close_idle(self) -> int:
        """Close the connections without a request and without data for a while; return their number."""
        return sum(self._close_if_idle(name) for name in _descriptors())

    def _close_if_idle(self, name: str) -> bool:
        try:
            if not os.readlink(f"{_DESCRIPTORS}/{name}").startswith("socket:"):  # noqa: PTH115 (4,096 times)
                return False
            # A duplicate: the server may close its own descriptor at any time.
            with socket.socket(fileno=os.dup(int(name))) as connection:
                if not self._is_idle(connection):
                    return False
                connection.shutdown(socket.SHUT_RDWR)  # the server reads the end of the connection
                return True
        except OSError:  # closed in the meantime
            return False

    def _is_idle(self, connection: socket.socket) -> bool:
        if connection.family not in {socket.AF_INET, socket.AF_INET6} or (
            connection.type != socket.SOCK_STREAM or connection.getsockname()[1] != self._port
        ):
            return False
        host, port = connection.getpeername()[:2]
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        quiet = min(struct.unpack_from("I", info, at)[0] for at in (_LAST_SENT, _LAST_RECEIVED))
        return info[0] == _ESTABLISHED and quiet > _IDLE_MILLISECONDS and (host, str(port)) not in in_flight


def _descriptors() -> list[str]:
    """Return the open file descriptors of this process."""
    return os.listdir(_DESCRIPTORS)  # noqa: PTH208 (several times as fast)
