from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from rehearsal.host.envoy import oversized_bodies
from tests.support.edges import Origin


@pytest.fixture(scope="module")
def refusing() -> Iterator[int]:
    """The port of the server for oversized bodies, which runs in the supervisor otherwise."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(oversized_bodies.serve())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield oversized_bodies.port_of(server)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    loop.close()


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
