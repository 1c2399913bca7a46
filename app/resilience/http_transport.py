"""Transport of HTTP clients whose requests are cancelled at deadlines.

httpcore (1.0.9) loses the connection of a request that is cancelled after a connection was assigned to it and
before it is used, or while its response is closed (its issues 830 and 1093). A lost connection occupies its
place in the pool until the process ends; once all places are lost, every request fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpcore
import httpx


class PooledTransport(httpx.AsyncHTTPTransport):
    """Closes the connections that cancelled requests left in the pool before it opens another.

    Without the proxies that httpx reads from the environment, as with every transport that is passed to it.
    """

    def __init__(self, limits: httpx.Limits) -> None:
        super().__init__(limits=limits)
        self._closing: set[asyncio.Future[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; raises the errors of httpx."""
        self._close_lost_connections()
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Stream(response.stream)
        return response

    def _close_lost_connections(self) -> None:
        """Close each connection that is in use, according to its state, but has no request."""
        pool = self._pool
        assert isinstance(pool, httpcore.AsyncConnectionPool)
        used = {id(request.connection) for request in pool._requests}
        lost = [
            connection
            for connection in pool._connections
            if id(connection) not in used and not connection.is_idle() and not connection.is_closed()
        ]
        if not lost:
            return
        for connection in lost:
            pool._connections.remove(connection)
        closing = asyncio.ensure_future(pool._close_connections(lost))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


class _Stream(httpx.AsyncByteStream):
    """Stream of a response that is closed completely although its reader is cancelled."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream
        self._closing: asyncio.Future[None] | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._stream.aclose())
        await asyncio.shield(self._closing)
