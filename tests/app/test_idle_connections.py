"""Connections that send nothing do not make the probes of a pod fail."""

from __future__ import annotations

import select
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.support.backends import Platform, pod

CONNECTIONS = 4_300  # the server accepts 4,096


class SilentClient:
    """Holds connections on which it sends `first`; opens another one for each that is closed."""

    def __init__(self, port: int, first: bytes) -> None:
        self._port = port
        self._first = first
        self._open: dict[int, socket.socket] = {}
        self._poll = select.poll()
        self._stopped = threading.Event()
        self.closed = 0

    def connect(self) -> None:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=5)
        connection.sendall(self._first)
        connection.setblocking(False)
        self._open[connection.fileno()] = connection
        self._poll.register(connection, select.POLLIN)

    def run(self) -> None:
        while not self._stopped.is_set():
            for descriptor, _ in self._poll.poll(100):
                self._poll.unregister(descriptor)
                self._open.pop(descriptor).close()
                self.closed += 1
                self.connect()
        for connection in self._open.values():
            connection.close()

    @contextmanager
    def running(self) -> Iterator[None]:
        for _ in range(CONNECTIONS):
            self.connect()
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("first", [b"", b"GET /v1/fe"])
def test_silent_connections_do_not_make_probes_fail(platform: Platform, first: bytes) -> None:
    api = pod("api", platform.folder, platform.settings)
    api.start()
    try:
        platform.wait_until_ready(api)
        waiting = socket.create_connection(("127.0.0.1", api.port), timeout=30)
        waiting.sendall(
            b"POST /v1/sessions HTTP/1.1\r\nhost: api\r\ncontent-type: application/json\r\n"
            b"content-length: 9\r\n\r\n{"
        )
        silent = SilentClient(api.port, first)
        with silent.running(), waiting:
            statuses: list[int] = []
            while silent.closed < 2 * CONNECTIONS or len(statuses) < 10:
                with httpx.Client(base_url=f"http://127.0.0.1:{api.port}", timeout=1) as client:
                    statuses.append(client.get("/livez").status_code)
            assert set(statuses) == {200}
            # A request that waits for its body is in progress, so its connection stays open.
            assert waiting.recv(65536).startswith(b"HTTP/1.1 408")
    finally:
        api.kill()
