"""HTTP load from one core, with sockets and epoll instead of an HTTP library.

Python's HTTP clients manage a few thousand requests a second, a tenth of the servers' throughput measured
here; this one exceeds all of them. It is a closed loop: each connection sends its next request after its
response. The server's processor time is read from the kernel, so the figure also holds when the client is the
bottleneck or the machine is shared.
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psutil

_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_BUFFER: Final = 64 * 1024
_PATIENCE_SECONDS: Final = 10.0


@dataclass(frozen=True)
class LoadResult:
    """Good responses, other responses by status, and seconds of wall clock and of server processor time."""

    good: int
    others: dict[str, int]
    wall: float
    processor: float

    @property
    def rate(self) -> float:
        """Good responses per second of wall clock."""
        return self.good / self.wall

    @property
    def per_core(self) -> float:
        """Good responses per second of the server's processor time, that is, per fully used core."""
        return self.good / self.processor


def request(path: str, headers: dict[str, str]) -> bytes:
    """Return a GET request as bytes."""
    lines = [
        f"GET {path} HTTP/1.1",
        "host: localhost",
        *(f"{name}: {text}" for name, text in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def send_load(port: int, requests: Sequence[bytes], *, seconds: float, server: psutil.Process) -> LoadResult:
    """Send requests to ``port`` of this machine for ``seconds``, one connection for each request.

    Each connection repeats its request. Raises ``ConnectionError`` if the server closes a connection or does
    not respond.
    """
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in requests]
    good, others = 0, dict[str, int]()
    with select.epoll() as poll:
        known: dict[int, tuple[socket.socket, bytes]] = {}
        rest: dict[int, bytes] = {}
        try:
            for connection, wanted in zip(sockets, requests, strict=True):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.setblocking(False)
                known[connection.fileno()] = connection, wanted
                poll.register(connection, select.EPOLLIN)
                connection.send(wanted)
            began, spent = time.perf_counter(), _processor(server)
            until = began + seconds
            while (now := time.perf_counter()) < until:
                events = poll.poll(_PATIENCE_SECONDS)
                if not events:
                    raise ConnectionError(f"no response within {_PATIENCE_SECONDS:g} s")
                for number, _ in events:
                    connection, wanted = known[number]
                    data = connection.recv(_BUFFER)
                    if not data:
                        raise ConnectionError("the server closed the connection")
                    if rest:
                        data = rest.pop(number, b"") + data
                    if not _whole(data):
                        rest[number] = data
                        continue
                    status = data[9:12]
                    if status == b"200":
                        good += 1
                    else:
                        others[status.decode()] = others.get(status.decode(), 0) + 1
                    connection.send(wanted)
            return LoadResult(good, others, now - began, _processor(server) - spent)
        finally:
            for connection in sockets:
                connection.close()


def _whole(data: bytes) -> bool:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = _LENGTH.search(data, 0, end + 2)
    assert length is not None, "a response with a content length"
    return len(data) >= end + 4 + int(length[1])


def _processor(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
