"""Return types of handlers, and functions that send them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec
from starlette.types import Message, Receive, Scope, Send

from app.http.requests import header, raw_header

T = TypeVar("T")
Headers = list[tuple[bytes, bytes]]

JSON: Final = (b"content-type", b"application/json")
# A client may cache the response, but must revalidate it before each use.
_REVALIDATE: Final = (b"cache-control", b"private, no-cache")
NOT_MODIFIED: Final = 304
_BODILESS: Final = frozenset({204, NOT_MODIFIED})

_encoder = msgspec.json.Encoder()
encode = _encoder.encode


@dataclass(frozen=True, slots=True)
class Response(Generic[T]):
    """A body with additional headers, or with a status other than the route's."""

    body: T
    headers: Sequence[tuple[bytes, bytes]] = ()
    status: int | None = None


class Raw(bytes):
    """A body that is sent without encoding. The route declares its media type."""


async def _no_release() -> None:
    """Default of :attr:`Stream.release`."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A streamed body of ``length`` bytes; ``None`` if the length is unknown.

    ``release`` is called once the stream has ended, also after an error and if nothing was sent.
    """

    chunks: AsyncGenerator[bytes]
    length: int | None = None
    release: Callable[[], Awaitable[None]] = _no_release


class JsonBody:
    """A JSON body that is encoded once and sent many times, with the entity tag of :func:`write_json`."""

    __slots__ = ("headers", "payload", "tag")

    def __init__(self, value: Any) -> None:
        self.payload = encode(value)
        self.tag = entity_tag(self.payload)
        length = (b"content-length", b"%d" % len(self.payload))
        self.headers = ((b"etag", self.tag.encode()), _REVALIDATE, JSON, length)


async def write(send: Send, status: int, headers: Headers, payload: bytes, *, head: bool = False) -> None:
    """Send a complete response. ``head`` omits the body, for ``HEAD`` requests."""
    if status not in _BODILESS:
        headers.append((b"content-length", b"%d" % len(payload)))
    start: Message = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": b"" if head else payload})


async def write_json(
    scope: Scope, send: Send, status: int, headers: Headers, payload: bytes, *, tagged: bool
) -> None:
    """Send a JSON response.

    If ``tagged``, a 200 response to ``GET`` or ``HEAD`` gets an entity tag, and the status is 304 if the tag
    matches the request's ``If-None-Match``.
    """
    if tagged and status == 200 and scope["method"] in {"GET", "HEAD"}:
        tag = entity_tag(payload)
        headers.append((b"etag", tag.encode()))
        if not any(name == b"cache-control" for name, _ in headers):
            headers.append(_REVALIDATE)
        if matches(header(scope, b"if-none-match"), tag):
            await write(send, NOT_MODIFIED, headers, b"")
            return
    headers.append(JSON)
    await write(send, status, headers, payload, head=scope["method"] == "HEAD")


async def write_body(scope: Scope, send: Send, body: JsonBody) -> None:
    """Send the 200 response of a read: like :func:`write_json` with a tag that is computed already."""
    condition = raw_header(scope, b"if-none-match")
    if condition is not None and matches(condition.decode("latin-1"), body.tag):
        await write(send, NOT_MODIFIED, [*body.headers[:2]], b"")
        return
    start: Message = {"type": "http.response.start", "status": 200, "headers": [*body.headers]}
    await send(start)
    payload = b"" if scope["method"] == "HEAD" else body.payload
    await send({"type": "http.response.body", "body": payload})


async def write_stream(
    scope: Scope, receive: Receive, send: Send, status: int, headers: Headers, stream: Stream
) -> None:
    """Send a stream until it ends or the client disconnects."""
    if stream.length is not None:
        headers.append((b"content-length", b"%d" % stream.length))
    scope["streaming"] = True  # its duration depends on the client, so it is left out of latency metrics
    try:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
        else:
            await _send_until_disconnected(receive, send, stream)
    finally:
        await stream.chunks.aclose()
        await stream.release()


async def _send_until_disconnected(receive: Receive, send: Send, stream: Stream) -> None:
    sending = asyncio.create_task(_send_all(send, stream))
    leaving = asyncio.create_task(_until_disconnected(receive))
    try:
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        sending.cancel()
        outcomes = await asyncio.gather(sending, leaving, return_exceptions=True)
    if isinstance(outcomes[0], Exception):
        raise outcomes[0]


def entity_tag(payload: bytes) -> str:
    """Return the strong entity tag of a body, including the quotes."""
    return f'"{hashlib.blake2b(payload, digest_size=12).hexdigest()}"'


def matches(condition: str | None, tag: str) -> bool:
    """Return whether an ``If-None-Match`` header matches ``tag``, compared weakly (RFC 9110, 13.1.2)."""
    if condition is None:
        return False
    tags = [part.strip().removeprefix("W/") for part in condition.split(",")]
    return tag in tags or tags == ["*"]


async def _send_all(send: Send, stream: Stream) -> None:
    async for chunk in stream.chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
