"""Reading what a client sends, never more of it than asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, TypeVar

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope

from app.http import problems
from app.http.problems import FieldError, Problem

T = TypeVar("T")

LARGEST_JSON: Final = 64 * 1024


class ClientGone(Exception):  # noqa: N818 (nobody is there to see an error)
    """The client went away before its request was complete; there is nobody to answer."""


class Upload:
    """A body that is read as it comes, at most ``largest`` bytes of it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive

    async def chunks(self, largest: int) -> AsyncIterator[bytes]:
        """The body piece by piece; :class:`Problem` (413) as soon as it is more than ``largest`` bytes."""
        declared = header(self._scope, b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > largest:
            raise _too_large(largest)
        size = 0
        more = True
        while more:
            message = await self._receive()
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
    """Read what is left of a body that nobody wants; ``False`` when it is too much of it.

    An answer that goes out over an unread body makes the server close the connection, often before the
    client has read the answer.
    """
    declared = header(scope, b"content-length")
    chunked = header(scope, b"transfer-encoding") is not None
    if scope.get("body_read") or not (chunked or declared not in {None, "0"}):
        return True
    left = LARGEST_JSON
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if not message.get("more_body", False):
            return True
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
