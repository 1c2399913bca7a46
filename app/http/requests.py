"""Reading what a client sends, never more of it than asked for."""

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

LARGEST_JSON: Final = 64 * 1024


# A client that sends nothing for so long will not send the rest either. Mobile networks recover within less.
MAX_BODY_IDLE_SECONDS: Final = 8.0
# A response to an unread body closes the connection, often before the client has read it. So a body that is
# refused is read and dropped, within bounds that cost an attacker as much as the pod.
MAX_DISCARD_BYTES: Final = 27 * 1024 * 1024  # more than the edge lets through
MAX_DISCARD_SECONDS: Final = 5.0
MAX_DISCARD_IDLE_SECONDS: Final = 1.0
# Requests of one pod that wait for their bodies. Each holds a connection; the server accepts 4,096.
MAX_WAITING: Final = 1_024
_MARGIN_SECONDS: Final = 0.2


class ClientGone(Exception):  # noqa: N818 (nobody is there to see an error)
    """The client went away before its request was complete; there is nobody to answer."""


class Bodies:
    """Counts the requests of this process that wait for a body."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self.waiting = 0
        self.max_waiting = max_waiting


bodies: Final = Bodies()


async def next_message(scope: Scope, receive: Receive, seconds: float) -> Message:
    """The next message of a body, within ``seconds``.

    Raises :class:`Problem` (408) when it does not arrive in time, and :class:`Problem` (503) when too many
    requests wait already. Both close the connection, because what follows on it would be the missing body.
    """
    if bodies.waiting >= bodies.max_waiting:
        scope["body_abandoned"] = True
        after = {"retry-after": "1"}
        raise Problem(problems.UNAVAILABLE, "Too many requests wait for their bodies.", headers=after)
    bodies.waiting += 1
    try:
        async with asyncio.timeout(seconds):
            return await receive()
    except TimeoutError:
        scope["body_abandoned"] = True
        raise Problem(
            problems.BODY_TIMEOUT, f"The next part of the body did not arrive within {seconds:.1f} s."
        ) from None
    finally:
        bodies.waiting -= 1


class Upload:
    """A body that is read as it comes, at most ``largest`` bytes of it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive

    async def chunks(self, largest: int) -> AsyncIterator[bytes]:
        """The body piece by piece; :class:`Problem` (413) as soon as it is more than ``largest`` bytes,
        (408) when it stops for :data:`MAX_BODY_IDLE_SECONDS` or the deadline of the request is near."""
        declared = header(self._scope, b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > largest:
            raise _too_large(largest)
        size = 0
        more = True
        while more:
            patience = min(MAX_BODY_IDLE_SECONDS, max(_MARGIN_SECONDS, remaining() - _MARGIN_SECONDS))
            message = await next_message(self._scope, self._receive, patience)
            if message["type"] == "http.disconnect":
                raise ClientGone
            more = message.get("more_body", False)
            self._scope["body_read"] = not more
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > largest:
                raise _too_large(largest)
            if chunk:
                yield chunk


def header(scope: Scope, name: bytes) -> str | None:
    """The first value of a request header; ``name`` in lower case."""
    value = raw_header(scope, name)
    return None if value is None else value.decode("latin-1")


def raw_header(scope: Scope, name: bytes) -> bytes | None:
    """As :func:`header`, the bytes as they came."""
    named: dict[bytes, bytes] | None = scope.get("named_headers")
    if named is None:
        # Half a dozen are looked for in every request: one pass instead of one for each. The first one wins.
        named = scope["named_headers"] = dict(reversed(scope["headers"]))
    return named.get(name)


async def read_body(scope: Scope, receive: Receive, largest: int) -> bytes:
    """The whole body, at most ``largest`` bytes; more is refused (413) without being kept."""
    chunks = [chunk async for chunk in Upload(scope, receive).chunks(largest)]
    return b"".join(chunks) if len(chunks) != 1 else chunks[0]


async def discard_body(scope: Scope, receive: Receive) -> bool:
    """Read and drop what is left of a body that is refused; ``False`` when it is too much, or too slow, and
    the connection must be closed instead."""
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
        while left > 0 and (patience := end - time.monotonic()) > 0:
            message = await next_message(scope, receive, min(MAX_DISCARD_IDLE_SECONDS, patience))
            left -= len(message.get("body", b""))
            if not message.get("more_body", False):
                return True
    except Problem:
        return False
    return False


def _too_large(largest: int) -> Problem:
    return Problem(problems.TOO_LARGE, f"At most {largest} bytes are read here.")


def read_query(kind: type[T], query: bytes) -> T:
    """The parameters of a query string as ``kind``; :class:`Problem` (422) when they do not fit it."""
    given = QueryParams(query)
    values = dict(given.items())
    if len(values) < len(given.multi_items()):
        # Which one counts would be a guess, and others on the way may guess differently.
        raise Problem(problems.INVALID, "A parameter stands twice in the query.")
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(error, query=True) from error


def invalid(error: msgspec.ValidationError, *, query: bool = False) -> Problem:
    """The problem (422) of a body, or of a query, that does not fit its type."""
    detail, _, place = str(error).partition(" - at `")
    at = place.rstrip("`") or "$"
    # A parameter is known by its name; only a body has paths.
    at = at.removeprefix("$.") if query else at
    return Problem(problems.INVALID, detail, errors=[FieldError(at=at, detail=detail)])
