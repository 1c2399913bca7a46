"""Routes as typed functions.

A handler's signature is its contract, and the only one: ``body`` is read from JSON into its type, ``query``
from the query string, every other parameter from the path, and what it returns is written as JSON. The same
signature becomes the OpenAPI document (:mod:`app.http.openapi`), so the two cannot disagree.

    contents = Routes("/v1/contents", tag="content")

    @contents.post("/", status=202, access=Access.SESSION)
    async def create(call: Call, body: NewContent) -> Content: ...
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from starlette.types import Receive, Scope, Send

from app.auth.roles import Role
from app.http import problems
from app.http.problems import Kind, Problem
from app.http.requests import LARGEST_JSON, Upload, header, invalid, read_body, read_query
from app.http.responses import Answer, Headers, Raw, Stream, encode, write, write_json, write_stream
from app.middleware.response_cache import CachePolicy
from app.rate_limits.policies import RateLimitClass
from app.resilience.priority import RequestPriority

if TYPE_CHECKING:
    from app.auth.tokens import Session
    from app.services import Services

__all__ = ["Access", "Answer", "Call", "Endpoint", "Raw", "RequestHeader", "Routes", "Stream"]

T = TypeVar("T")
Handler = Callable[..., Awaitable[Any]]


class Access(Enum):
    """Who may call a route."""

    ANYONE = "anyone"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """A header that a route reads besides the usual ones, for the OpenAPI document."""

    name: str
    description: str
    required: bool = False
    pattern: str | None = None


@dataclass(slots=True)  # not frozen: that would cost each request as much as all its fields
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


@dataclass(frozen=True)
class Endpoint:
    """One operation: a method on a path, its handler, and what the handler's signature says."""

    method: str
    path: str
    handler: Handler
    tag: str
    status: int
    access: Access
    role: Role | None
    kinds: tuple[Kind, ...]
    media_type: str
    takes: tuple[str, ...] = ("application/json",)
    headers: tuple[RequestHeader, ...] = ()
    answer_headers: tuple[str, ...] = ()
    other_statuses: tuple[int, ...] = ()
    priority: RequestPriority = RequestPriority.READ
    limits: RateLimitClass = RateLimitClass.READ
    seconds: float = 10.0
    kept: CachePolicy | None = None
    shared: bool = False
    body: type | None = None
    query: type | None = None
    answer: Any = None
    path_parameters: dict[str, Any] = field(default_factory=dict)
    _decoder: msgspec.json.Decoder[Any] | None = field(default=None, repr=False)
    _path: type[msgspec.Struct] | None = field(default=None, repr=False)

    @property
    def streams(self) -> bool:
        """Whether what it answers is sent as it comes."""
        return Stream in (get_args(self.answer) or (self.answer,))

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[0]

    @property
    def description(self) -> str:
        """The rest of it."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[2].strip()

    async def respond(self, services: Services, scope: Scope, receive: Receive, send: Send) -> None:
        """Read, authorise, handle, write. Who is asking has been found out before."""
        signed_in: Session | None = scope.get("session")
        if self.role is not None and (signed_in is None or self.role not in signed_in.roles):
            raise Problem(problems.FORBIDDEN, f"Only for accounts with the role {self.role}.")
        arguments: dict[str, Any] = {} if self._path is None else _read_path(self._path, scope)
        if self.query is not None:
            arguments["query"] = read_query(self.query, scope["query_string"])
        if self._decoder is not None:
            arguments["body"] = await self._read_body(scope, receive)
        elif self.body is Upload:
            scope["leave"]()
            arguments["body"] = Upload(scope, receive)
        result = await self.handler(Call(scope, services, signed_in), **arguments)
        headers: Headers = []
        status = self.status
        if isinstance(result, Answer):
            headers.extend(result.headers)
            status = result.status or status
            result = result.body
        if isinstance(result, Stream):
            if not any(name == b"content-type" for name, _ in headers):
                headers.append((b"content-type", self.media_type.encode()))
            scope["release"]()
            await write_stream(scope, receive, send, status, headers, result)
        elif result is None:
            await write(send, status, headers, b"", head=scope["method"] == "HEAD")
        elif isinstance(result, bytes):
            headers.append((b"content-type", self.media_type.encode()))
            await write(send, status, headers, result, head=scope["method"] == "HEAD")
        else:
            # A probe's state is nobody's to keep; what is an account's, or says how long it holds, may be.
            kept = self.access is Access.SESSION or any(name == b"cache-control" for name, _ in headers)
            await write_json(scope, send, status, headers, encode(result), tagged=kept)

    async def _read_body(self, scope: Scope, receive: Receive) -> Any:
        media_type = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Problem(problems.UNSUPPORTED_MEDIA_TYPE, "Send application/json.")
        # A client on a slow network must not hold the place of one that could be answered now.
        scope["leave"]()
        data = await read_body(scope, receive, LARGEST_JSON)
        scope["reenter"]()
        assert self._decoder is not None
        try:
            return self._decoder.decode(data)
        except msgspec.ValidationError as error:
            raise invalid(error) from error
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
        role: Role | None = None,
        kinds: Sequence[Kind] = (),
        media_type: str = "application/json",
        takes: Sequence[str] = ("application/json",),
        headers: Sequence[RequestHeader] = (),
        answer_headers: Sequence[str] = (),
        other_statuses: Sequence[int] = (),
        priority: RequestPriority | None = None,
        limits: RateLimitClass | None = None,
        seconds: float = 10.0,
        kept: CachePolicy | None = None,
        shared: bool = False,
    ) -> Callable[[Handler], Handler]:
        reads = method == "GET"
        # What is kept is given to anybody, and only a read can be.
        assert kept is None or (reads and access is Access.ANYONE and role is None)

        def register(handler: Handler) -> Handler:
            local = {"Services": object, "Session": object}
            hints = get_type_hints(handler, localns=local, include_extras=True)
            answer = hints.pop("return")
            if get_origin(answer) is Answer:
                (answer,) = get_args(answer)
            body, query = hints.pop("body", None), hints.pop("query", None)
            hints.pop("call")
            self.endpoints.append(
                Endpoint(
                    method=method,
                    path=self.prefix + path,
                    handler=handler,
                    tag=self.tag,
                    status=status,
                    access=access,
                    role=role,
                    kinds=(*kinds, *_implied(access, role, body, query, hints)),
                    media_type=media_type,
                    takes=tuple(takes),
                    headers=tuple(headers),
                    answer_headers=tuple(answer_headers),
                    other_statuses=tuple(other_statuses),
                    priority=priority
                    if priority is not None
                    else RequestPriority.READ
                    if reads
                    else RequestPriority.WRITE,
                    limits=limits
                    if limits is not None
                    else RateLimitClass.READ
                    if reads
                    else RateLimitClass.WRITE,
                    seconds=seconds,
                    kept=kept,
                    shared=shared,
                    body=body,
                    query=query,
                    answer=None if answer is type(None) else answer,
                    path_parameters=hints,
                    _decoder=None if body is None or body is Upload else msgspec.json.Decoder(body),
                    # A type of its own: msgspec keeps what it learns of one, but not of an annotation.
                    _path=msgspec.defstruct("Path", list(hints.items())) if hints else None,
                )
            )
            return handler

        return register


class Responder:
    """One operation as an ASGI application."""

    def __init__(self, endpoint: Endpoint, services: Services) -> None:
        self._endpoint = endpoint
        self._services = services

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._endpoint.respond(self._services, scope, receive, send)


def authenticate(services: Services, scope: Scope) -> Session:
    """The session of the request's bearer token; :class:`Problem` (401) without a good one."""
    scheme, _, token = (header(scope, b"authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(
            problems.UNAUTHENTICATED,
            "Send the header Authorization: Bearer <token>.",
            headers={"www-authenticate": "Bearer"},
        )
    session = services.tokens.verify(token.strip())
    if session.id in services.revocations:
        raise Problem(
            problems.UNAUTHENTICATED,
            "The session was ended; sign in again.",
            headers={"www-authenticate": 'Bearer error="invalid_token"'},
        )
    return session


def _read_path(kind: type[msgspec.Struct], scope: Scope) -> dict[str, Any]:
    try:
        return msgspec.structs.asdict(msgspec.convert(scope["path_params"], kind, strict=False))
    except msgspec.ValidationError as error:
        # What cannot be the name of anything is the name of nothing.
        raise Problem(problems.NOT_FOUND, "Nothing can be called that.") from error


def _implied(
    access: Access, role: Role | None, body: type | None, query: type | None, path: dict[str, Any]
) -> list[Kind]:
    kinds: list[Kind] = [problems.METHOD_NOT_ALLOWED]
    if access is Access.SESSION:
        kinds.append(problems.UNAUTHENTICATED)
    if role is not None:
        kinds.append(problems.FORBIDDEN)
    if body is not None:
        kinds += [problems.BODY_TIMEOUT, problems.TOO_LARGE, problems.UNSUPPORTED_MEDIA_TYPE]
    if body is not None and body is not Upload:
        kinds += [problems.MALFORMED, problems.INVALID]
    elif query is not None:
        kinds.append(problems.INVALID)
    if path:
        kinds.append(problems.NOT_FOUND)
    return kinds
