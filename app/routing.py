"""Routes as typed functions.

A handler's signature is its contract, and the only one: ``body`` is read from JSON into its type, ``query``
from the query string, every other parameter from the path, and what it returns is written as JSON. The same
signature becomes the OpenAPI document (:mod:`app.openapi`), so the two cannot disagree.

    contents = Routes("/v1/contents", tag="content")

    @contents.post("/", status=202, access=Access.SESSION)
    async def create(call: Call, body: NewContent) -> Content: ...
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Message, Receive, Scope, Send

from app import problems
from app.problems import FieldError, Kind, Problem

if TYPE_CHECKING:
    from app.services import Services
    from app.sessions import Session

T = TypeVar("T")
Handler = Callable[..., Awaitable[Any]]

_LARGEST_BODY: Final = 64 * 1024
_JSON: Final = (b"content-type", b"application/json")


class Access(Enum):
    """Who may call a route."""

    ANYONE = "anyone"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as a handler sees it. ``session`` is there exactly when the route asks for one."""

    scope: Scope
    services: Services
    signed_in: Session | None

    @property
    def session(self) -> Session:
        """Who is asking; only for routes with :attr:`Access.SESSION`."""
        assert self.signed_in is not None, "the route does not ask for a session"
        return self.signed_in

    def header(self, name: bytes) -> str | None:
        """The first value of a header; ``name`` in lower case."""
        return header(self.scope, name)


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A body with headers of its own, or another status than the route's."""

    body: T
    headers: Sequence[tuple[bytes, bytes]] = ()
    status: int | None = None


class Raw(bytes):
    """A body that is sent as it is. Its media type stands in the route."""


@dataclass(frozen=True)
class Endpoint:
    """One operation: a method on a path, its handler, and what the handler's signature says."""

    method: str
    path: str
    handler: Handler
    tag: str
    status: int
    access: Access
    kinds: tuple[Kind, ...]
    media_type: str
    body: type | None = None
    query: type | None = None
    answer: Any = None
    path_parameters: tuple[str, ...] = ()
    _decoder: msgspec.json.Decoder[Any] | None = field(default=None, repr=False)

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[0]

    @property
    def description(self) -> str:
        """The rest of it."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[2].strip()

    async def respond(self, services: Services, scope: Scope, receive: Receive, send: Send) -> None:
        """Read, authorise, handle, write."""
        signed_in = authenticate(services, scope) if self.access is Access.SESSION else None
        arguments: dict[str, Any] = dict(scope["path_params"])
        if self.query is not None:
            arguments["query"] = _read_query(self.query, scope)
        if self._decoder is not None:
            arguments["body"] = await self._read_body(scope, receive)
        result = await self.handler(Call(scope, services, signed_in), **arguments)
        headers: list[tuple[bytes, bytes]] = []
        status = self.status
        if isinstance(result, Answer):
            headers.extend(result.headers)
            status = result.status or status
            result = result.body
        if result is None:
            payload = b""
        elif isinstance(result, bytes):
            payload = result
            headers.append((b"content-type", self.media_type.encode()))
        else:
            payload = encode(result)
            headers.append(_JSON)
        await write(send, status, headers, payload, head=scope["method"] == "HEAD")

    async def _read_body(self, scope: Scope, receive: Receive) -> Any:
        media_type = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Problem(problems.UNSUPPORTED_MEDIA_TYPE, "Send application/json.")
        data = await read_body(scope, receive, _LARGEST_BODY)
        assert self._decoder is not None
        try:
            return self._decoder.decode(data)
        except msgspec.ValidationError as error:
            raise _invalid(error) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Problem(problems.MALFORMED, f"The body is not JSON: {error}") from error


class Routes:
    """The operations of one feature, below one prefix."""

    def __init__(self, prefix: str, *, tag: str) -> None:
        self.prefix = prefix
        self.tag = tag
        self.endpoints: list[Endpoint] = []

    def get(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._add("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._add("POST", path, **options)

    def put(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._add("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._add("DELETE", path, **options)

    def _add(
        self,
        method: str,
        path: str,
        *,
        status: int = 200,
        access: Access = Access.SESSION,
        kinds: Sequence[Kind] = (),
        media_type: str = "application/json",
    ) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            hints = get_type_hints(handler, localns={"Services": object, "Session": object})
            answer = hints.pop("return")
            if get_origin(answer) is Answer:
                (answer,) = get_args(answer)
            body = hints.pop("body", None)
            self.endpoints.append(
                Endpoint(
                    method=method,
                    path=self.prefix + path,
                    handler=handler,
                    tag=self.tag,
                    status=status,
                    access=access,
                    kinds=(*kinds, *_implied(access, body, hints)),
                    media_type=media_type,
                    body=body,
                    query=hints.pop("query", None),
                    answer=None if answer is type(None) else answer,
                    path_parameters=tuple(name for name in hints if name != "call"),
                    _decoder=None if body is None else msgspec.json.Decoder(body),
                )
            )
            return handler

        return register


class Resource:
    """All the methods of one path, as an ASGI application."""

    def __init__(self, path: str, endpoints: Sequence[Endpoint], services: Services) -> None:
        self.path = path
        self._services = services
        self._by_method = {endpoint.method: endpoint for endpoint in endpoints}
        if "GET" in self._by_method:
            self._by_method["HEAD"] = self._by_method["GET"]
        self._allow = ", ".join(sorted(self._by_method))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self.path
        endpoint = self._by_method.get(scope["method"])
        if endpoint is None:
            raise Problem(problems.METHOD_NOT_ALLOWED, f"Use {self._allow}.", headers={"allow": self._allow})
        await endpoint.respond(self._services, scope, receive, send)


def authenticate(services: Services, scope: Scope) -> Session:
    """The session of the request's bearer token; :class:`Problem` (401) without a good one."""
    scheme, _, token = (header(scope, b"authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(
            problems.UNAUTHENTICATED,
            "Send the header Authorization: Bearer <token>.",
            headers={"www-authenticate": "Bearer"},
        )
    return services.tokens.verify(token.strip())


def header(scope: Scope, name: bytes) -> str | None:
    """The first value of a request header; ``name`` in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return None


async def read_body(scope: Scope, receive: Receive, largest: int) -> bytes:
    """The whole body, at most ``largest`` bytes; more is refused (413) without being kept."""
    declared = header(scope, b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > largest:
        raise Problem(problems.TOO_LARGE, f"At most {largest} bytes are read here.")
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        scope["body_read"] = not message.get("more_body", False)
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > largest:
            raise Problem(problems.TOO_LARGE, f"At most {largest} bytes are read here.")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks) if len(chunks) > 1 else chunk


async def discard_body(scope: Scope, receive: Receive) -> bool:
    """Read what is left of a body that nobody wants; ``False`` when it is too much of it.

    An answer that goes out over an unread body makes the server close the connection, often before the
    client has read the answer.
    """
    declared = header(scope, b"content-length")
    chunked = header(scope, b"transfer-encoding") is not None
    if scope.get("body_read") or not (chunked or declared not in {None, "0"}):
        return True
    left = _LARGEST_BODY
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if not message.get("more_body", False):
            return True
    return False


class ClientGone(Exception):  # noqa: N818 (nobody is there to see an error)
    """The client went away before its request was complete; there is nobody to answer."""


_encoder = msgspec.json.Encoder()
encode = _encoder.encode


async def write(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], payload: bytes, *, head: bool = False
) -> None:
    """Send a whole answer."""
    headers.append((b"content-length", b"%d" % len(payload)))
    start: Message = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": b"" if head else payload})


def _read_query(kind: type[T], scope: Scope) -> T:
    values = dict(QueryParams(scope["query_string"]).items())
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(error) from error


def _invalid(error: msgspec.ValidationError) -> Problem:
    detail, _, place = str(error).partition(" - at `")
    return Problem(problems.INVALID, detail, errors=[FieldError(at=place.rstrip("`") or "$", detail=detail)])


def _implied(access: Access, body: type | None, hints: dict[str, Any]) -> list[Kind]:
    kinds: list[Kind] = [problems.METHOD_NOT_ALLOWED]
    if access is Access.SESSION:
        kinds.append(problems.UNAUTHENTICATED)
    if body is not None:
        kinds += [problems.MALFORMED, problems.TOO_LARGE, problems.UNSUPPORTED_MEDIA_TYPE, problems.INVALID]
    elif "query" in hints:
        kinds.append(problems.INVALID)
    if len(hints.keys() - {"call", "query"}) > 0:
        kinds.append(problems.NOT_FOUND)
    return kinds
