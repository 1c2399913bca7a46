"""Connections of cancelled requests do not occupy the pool of an HTTP client."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import httpx
import pytest

from app.resilience.http_transport import PooledTransport

pytestmark = pytest.mark.anyio

_LIMITS = httpx.Limits(max_connections=2, max_keepalive_connections=1)


@pytest.fixture(params=["keep-alive", "close"])
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The address of a server that responds after up to 5 ms, and then keeps or closes the connection."""
    numbers = random.Random(1)

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(numbers.uniform(0, 0.005))
                head = f"HTTP/1.1 200 OK\r\nconnection: {request.param}\r\ncontent-length: 2\r\n\r\n"
                writer.write(head.encode() + b"ok")
                await writer.drain()
                if request.param == "close":
                    break
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_pool_is_usable_after_requests_were_cancelled_at_any_time(url: str) -> None:
    numbers = random.Random(2)
    transport = PooledTransport(_LIMITS)
    async with httpx.AsyncClient(transport=transport, timeout=httpx.Timeout(5.0, pool=2.0)) as client:
        for _ in range(150):
            requests = [asyncio.create_task(client.get(url)) for _ in range(6)]
            for request in requests:
                for _ in range(numbers.randrange(12)):
                    await asyncio.sleep(0)
                if numbers.random() < 0.7:
                    await asyncio.sleep(numbers.uniform(0, 0.003))
                    request.cancel()
            await asyncio.gather(*requests, return_exceptions=True)
        for response in await asyncio.gather(*(client.get(url) for _ in range(4))):
            assert response.text == "ok"


async def test_response_is_closed_although_its_reader_is_cancelled(url: str) -> None:
    transport = PooledTransport(httpx.Limits(max_connections=1, max_keepalive_connections=1))
    async with httpx.AsyncClient(transport=transport, timeout=httpx.Timeout(5.0, pool=2.0)) as client:

        async def read() -> None:
            async with client.stream("GET", url) as response:
                started.set()
                await response.aread()
                await asyncio.sleep(10)

        for turns in range(12):
            started = asyncio.Event()
            reading = asyncio.create_task(read())
            await started.wait()
            for _ in range(turns):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.sleep(0)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            assert (await client.get(url)).text == "ok"
