"""Request headers, query strings and bodies, read within limits of size and time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final, TypeVar

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Message, Receive, Scope

from app.http import problems
from app.http.problems import FieldError, Problem
from app.resilience.deadline import remaining

T = TypeVar("T")

MAX_JSON_BYTES: Final = 64 * 1024


# Mobile networks recover from an interruption within less; after that the rest is unlikely to arrive.
MAX_BODY_IDLE_SECONDS: Final = 8.0
# A response before the body was read closes the connection, often before the client has received the
# response. So a rejected body is read and discarded, up to a size that costs an attacker as much as the pod.
MAX_DISCARD_BYTES: Final = 100 * 1024 * 1024  # more than Cloudflare lets through
MAX_DISCARD_SECONDS: Final = 8.0
MAX_DISCARD_IDLE_SECONDS: Final = 1.0
# Requests of one pod that wait for their bodies. Each holds a connection; the server accepts 4,096.
MAX_WAITING: Final = 1_024
_MARGIN_SECONDS: Final = 0.2
_MAX_DETAIL_LENGTH: Final = 400


class ClientDisconnected(Exception):  # noqa: N818 (an event, not an error)
    """The client disconnected before its request was complete; no response can be sent."""


class PendingBodies:
    """Number of requests in this process that wait for a body, and its limit."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self.waiting = 0
        self.max_waiting = max_waiting


pending_bodies: Final = PendingBodies()


async def next_message(scope: Scope, receive: Receive, seconds: float) -> Message:
    """Return the next message of a body, within ``seconds``.

    Raises :class:`Problem` (408) if it does not arrive in time and :class:`Problem` (503) if too many
    requests wait already. Both close the connection, because the missing body would be read as the next
    request.

    Adds the time to ``body_seconds`` of the scope: it depends on the client, so the latency metrics, which
    the autoscaler and the alerts use, leave it out.
    """
    if pending_bodies.waiting >= pending_bodies.max_waiting:
        scope["body_abandoned"] = True
        after = {"retry-after": "1"}
        raise Problem(problems.UNAVAILABLE, "Too many requests wait for their bodies.", headers=after)
    pending_bodies.waiting += 1
    began = time.perf_counter()
    try:
        async with asyncio.timeout(seconds):
            return await receive()
    except TimeoutError:
        scope["body_abandoned"] = True
        raise Problem(
            problems.BODY_TIMEOUT, f"The next part of the body did not arrive within {seconds:.1f} s."
        ) from None
    finally:
        pending_bodies.waiting -= 1
        scope["body_seconds"] = scope.get("body_seconds", 0.0) + time.perf_counter() - began


class Upload:
    """A request body that the handler reads in chunks."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive

    async def chunks(self, max_bytes: int) -> AsyncIterator[bytes]:
        """Yield the chunks of the body.

        Raises :class:`Problem` (413) as soon as the body exceeds ``max_bytes``, :class:`Problem` (408) if
        nothing arrives for :data:`MAX_BODY_IDLE_SECONDS` or the request's deadline is near, and
        :class:`ClientDisconnected`.
        """
        declared = header(self._scope, b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > max_bytes:
            raise _too_large(max_bytes)
        size = 0
        more = True
        while more:
            timeout = min(MAX_BODY_IDLE_SECONDS, max(_MARGIN_SECONDS, remaining() - _MARGIN_SECONDS))
            message = await next_message(self._scope, self._receive, timeout)
            if message["type"] == "http.disconnect":
                raise ClientDisconnected
            more = message.get("more_body", False)
            self._scope["body_read"] = not more
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(max_bytes)
            if chunk:
                yield chunk


def header(scope: Scope, name: bytes) -> str | None:
    """Return the first value of a request header; ``None`` without one. ``name`` is lower case."""
    value = raw_header(scope, name)
    return None if value is None else value.decode("latin-1")


def raw_header(scope: Scope, name: bytes) -> bytes | None:
    """Like :func:`header`, but return the raw bytes."""
    named: dict[bytes, bytes] | None = scope.get("named_headers")
    return (index_headers(scope) if named is None else named).get(name)


def index_headers(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers by name, and store them in the scope: several are looked up per request. Of a
    repeated header the first value is returned.
    """
    named: dict[bytes, bytes] = dict(reversed(scope["headers"]))
    scope["named_headers"] = named
    return named


def require_identity(scope: Scope) -> None:
    """Raise :class:`Problem` (415) for a body with a ``Content-Encoding`` (RFC 9110, section 12.5.3): a few
    kilobytes can contain gigabytes.
    """
    encoding = header(scope, b"content-encoding")
    if encoding is not None and encoding.strip().lower() not in {"", "identity"}:
        detail = "Send the body without Content-Encoding."
        raise Problem(problems.UNSUPPORTED_MEDIA_TYPE, detail, headers={"accept-encoding": "identity"})


async def read_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """Return the complete body. Raises :class:`Problem` (413) if it exceeds ``max_bytes``, and the other
    errors of :meth:`Upload.chunks`.
    """
    chunks = [chunk async for chunk in Upload(scope, receive).chunks(max_bytes)]
    return b"".join(chunks) if len(chunks) != 1 else chunks[0]


async def discard_body(scope: Scope, receive: Receive) -> bool:
    """Drain an unread request body, so that the connection can be reused.

    Returns ``False`` if the rest is larger than :data:`MAX_DISCARD_BYTES` or does not arrive within
    :data:`MAX_DISCARD_SECONDS`; the connection must then be closed.
    """
    declared = header(scope, b"content-length")
    chunked = header(scope, b"transfer-encoding") is not None
    if scope.get("body_read") or not (chunked or declared not in {None, "0"}):
        return True
    if scope.get("body_abandoned"):
        return False
    if declared is not None and declared.isdigit() and int(declared) > MAX_DISCARD_BYTES:
        return False
    left, end = MAX_DISCARD_BYTES, time.monotonic() + MAX_DISCARD_SECONDS
    try:
        while left > 0 and (timeout := end - time.monotonic()) > 0:
            message = await next_message(scope, receive, min(MAX_DISCARD_IDLE_SECONDS, timeout))
            left -= len(message.get("body", b""))
            if not message.get("more_body", False):
                return True
    except Problem:
        return False
    return False


def _too_large(max_bytes: int) -> Problem:
    return Problem(problems.TOO_LARGE, f"The body must not exceed {max_bytes} bytes.")


def read_query(kind: type[T], query: bytes) -> T:
    """Return the parameters of a query string as ``kind``. Raises :class:`Problem` (422) for invalid ones."""
    given = QueryParams(query)
    values = dict(given.items())
    if len(values) < len(given.multi_items()):
        # Proxies and the service may disagree on which of the values applies.
        raise Problem(problems.INVALID, "A query parameter is repeated.")
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(error, query=True) from error


def invalid(error: msgspec.ValidationError, *, query: bool = False) -> Problem:
    """Return the problem (422) for a body or a query that does not match its type."""
    # Names of unknown members are part of the message.
    detail, _, path = (part[:_MAX_DETAIL_LENGTH] for part in str(error).partition(" - at `"))
    at = path.rstrip("`") or "$"
    # A query parameter is identified by its name; JSON paths are for bodies.
    at = at.removeprefix("$.") if query else at
    return Problem(problems.INVALID, detail, errors=[FieldError(at=at, detail=detail)])
