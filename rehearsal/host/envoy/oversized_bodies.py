"""Responses to bodies that Cloud Armor's declared rule refuses by their length.

Envoy's own response to an unfinished HTTP/2 request is followed by a stream reset, and several clients report
the reset instead of the response. This server reads and discards the body first, then responds with 413.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from typing import Final

from rehearsal.host.processes.ports import LOOPBACK

NAME: Final = "oversized-bodies"
# Cloudflare refuses longer bodies in the plans Free and Pro; Envoy refuses them without reading.
MAX_BYTES: Final = 100 * 1000 * 1000
_MAX_SECONDS: Final = 25.0  # the gateway's own limit is 30 s
_MAX_IDLE_SECONDS: Final = 5.0
_CHUNK_BYTES: Final = 256 * 1024
_MAX_HEAD_BYTES: Final = 128 * 1024  # above the edge's limit for request headers
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_REQUEST_ID: Final = re.compile(rb"\r\nx-request-id: *([\w-]+)\r\n", re.IGNORECASE)


async def serve() -> asyncio.Server:
    """Start the server on a free loopback port."""
    return await asyncio.start_server(_respond, LOOPBACK, 0, limit=_MAX_HEAD_BYTES)


def port_of(server: asyncio.Server) -> int:
    """Return the port that the server listens on."""
    return int(server.sockets[0].getsockname()[1])


async def _respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read one request with a Content-Length, discard its body, respond and close."""
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        async with asyncio.timeout(_MAX_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            await _discard(reader, min(MAX_BYTES, int(length[1])) if length else 0)
            request_id = _REQUEST_ID.search(head)
            writer.write(_response(request_id[1].decode() if request_id else ""))
            await writer.drain()
    writer.close()


async def _discard(reader: asyncio.StreamReader, size: int) -> None:
    while size > 0:
        chunk = await asyncio.wait_for(reader.read(min(size, _CHUNK_BYTES)), _MAX_IDLE_SECONDS)
        if not chunk:
            return
        size -= len(chunk)


def _response(request_id: str) -> bytes:
    details = {
        "type": "about:blank",
        "title": "Content too large",
        "status": 413,
        "detail": "The request body is larger than any that the service accepts.",
        "request_id": request_id,
    }
    body = json.dumps(details).encode()
    head = (
        "HTTP/1.1 413 Content Too Large\r\ncontent-type: application/problem+json\r\n"
        f"cache-control: no-store\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
