"""A load of HTTP requests from one core: sockets and epoll, nothing in between.

Python's HTTP clients manage a few thousand requests a second, a tenth of what the servers measured here
answer; this one manages more than any of them. It is a closed loop: each connection sends its next request
when it has its answer. What the server spent is read from the kernel, so that the figure also holds when
this side is the slower one or others use the machine.
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
class Answered:
    """What came back: good answers, the others by status, the seconds of wall clock and of the server's
    processor time."""

    good: int
    others: dict[str, int]
    wall: float
    processor: float

    @property
    def rate(self) -> float:
        """Good answers a second of wall clock."""
        return self.good / self.wall

    @property
    def per_core(self) -> float:
        """Good answers a second of the server's processor time: what one whole core gives."""
        return self.good / self.processor


def request(path: str, headers: dict[str, str]) -> bytes:
    """A GET as bytes."""
    lines = [
        f"GET {path} HTTP/1.1",
        "host: localhost",
        *(f"{name}: {text}" for name, text in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def ask(port: int, requests: Sequence[bytes], *, seconds: float, server: psutil.Process) -> Answered:
    """Send the requests to this machine's ``port`` for ``seconds``, each again and again over a connection of
    its own. ``ConnectionError`` when the server hangs up or is silent."""
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
                    raise ConnectionError(f"no answer within {_PATIENCE_SECONDS:g} s")
                for number, _ in events:
                    connection, wanted = known[number]
                    data = connection.recv(_BUFFER)
                    if not data:
                        raise ConnectionError("the server hung up")
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
            return Answered(good, others, now - began, _processor(server) - spent)
        finally:
            for connection in sockets:
                connection.close()


def _whole(data: bytes) -> bool:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = _LENGTH.search(data, 0, end + 2)
    assert length is not None, "an answer of a known length"
    return len(data) >= end + 4 + int(length[1])


def _processor(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
