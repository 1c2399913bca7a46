"""The server that refuses oversized bodies responds after it has read them."""

from __future__ import annotations

import asyncio
import json

import pytest

from rehearsal.host.envoy import oversized_bodies

BODY = b"x" * (1024 * 1024)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_the_response_follows_the_whole_body() -> None:
    async with await oversized_bodies.serve() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", oversized_bodies.port_of(server))
        head = f"POST / HTTP/1.1\r\nContent-Length: {len(BODY)}\r\nX-Request-Id: one-two\r\n\r\n"
        writer.write(head.encode() + BODY[:-1])
        await writer.drain()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(early := asyncio.create_task(reader.read(1))), 0.2)
        writer.write(BODY[-1:])
        response = await early + await reader.read()
        writer.close()
    status, _, body = response.partition(b"\r\n\r\n")
    assert status.startswith(b"HTTP/1.1 413 ")
    assert b"content-type: application/problem+json\r\n" in status
    assert json.loads(body) | {"detail": ""} == {
        "type": "about:blank",
        "title": "Content too large",
        "status": 413,
        "detail": "",
        "request_id": "one-two",
    }


@pytest.mark.anyio
async def test_a_client_that_leaves_ends_its_connection() -> None:
    async with await oversized_bodies.serve() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", oversized_bodies.port_of(server))
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n123")
        writer.write_eof()
        assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
        writer.close()
