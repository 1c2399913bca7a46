"""Routes as typed functions.

The signature of a handler is the contract of its route: ``body`` is decoded from JSON into its type,
``query`` from the query string, every other parameter from the path, and the return value is encoded as JSON.
A handler that returns a body encoded before (``JsonBody``) declares its type with ``encodes``.
The OpenAPI document (:mod:`app.http.openapi`) is generated from the same signature, so the two cannot differ.

    contents = Routes("/v1/contents", tag="content")

    @contents.post("/", status=202, access=Access.SESSION)
    async def create(context: RequestContext, body: NewContent) -> Content: ...
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta
from starlette.types import Receive, Scope, Send

from app.auth.roles import Role
from app.http import problems
from app.http.problems import Problem, ProblemType
from app.http.requests import (
    MAX_JSON_BYTES,
    Upload,
    header,
    invalid,
    raw_header,
    read_body,
    read_query,
    require_identity,
)
from app.http.responses import (
    Headers,
    JsonBody,
    Raw,
    Response,
    Stream,
    encode,
    write,
    write_body,
    write_json,
    write_stream,
)
from app.middleware.response_cache import CachePolicy
from app.rate_limits.policies import RateLimitClass
from app.resilience.priority import RequestPriority

if TYPE_CHECKING:
    from app.auth.tokens import Session
    from app.services import Services

__all__ = ["Access", "Endpoint", "Raw", "RequestContext", "RequestHeader", "Response", "Routes", "Stream"]

T = TypeVar("T")
Handler = Callable[..., Awaitable[Any]]
PathCheck = Callable[[str], object]


class Access(Enum):
    """Whether a route requires a session."""

    ANYONE = "anyone"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """A request header specific to a route, for the OpenAPI document."""

    name: str
    description: str
    required: bool = False
    pattern: str | None = None


@dataclass(slots=True)  # not frozen: that would cost each request as much as all its fields
class RequestContext:
    """The context of one request for its handler. ``signed_in`` is ``None`` without a session."""

    scope: Scope
    services: Services
    signed_in: Session | None

    @property
    def session(self) -> Session:
        """The session of the request; only for routes with :attr:`Access.SESSION`."""
        assert self.signed_in is not None, "the route does not require a session"
        return self.signed_in

    def header(self, name: bytes) -> str | None:
        """Return the first value of a header; ``None`` without one. ``name`` is lower case."""
        return header(self.scope, name)


@dataclass(frozen=True)
class Endpoint:
    """One operation: a method on a path, its handler, and the types of the handler's signature.

    ``takes`` are the media types of the request body. ``cached`` marks handlers that read through a cache
    shared by all requests, so one request's deadline must not limit the load. ``seconds`` is the deadline.
    """

    method: str
    path: str
    handler: Handler
    tag: str
    status: int
    access: Access
    role: Role | None
    problem_types: tuple[ProblemType, ...]
    media_type: str
    takes: tuple[str, ...] = ("application/json",)
    headers: tuple[RequestHeader, ...] = ()
    response_headers: tuple[str, ...] = ()
    other_statuses: tuple[int, ...] = ()
    priority: RequestPriority = RequestPriority.READ
    rate_limit_class: RateLimitClass = RateLimitClass.READ
    seconds: float = 10.0
    cache_policy: CachePolicy | None = None
    cached: bool = False
    body: type | None = None
    query: type | None = None
    response_type: Any = None
    path_parameters: dict[str, Any] = field(default_factory=dict)
    _decoder: msgspec.json.Decoder[Any] | None = field(default=None, repr=False)
    _path: type[msgspec.Struct] | None = field(default=None, repr=False)
    _path_checks: tuple[tuple[str, PathCheck], ...] | None = field(default=None, repr=False)

    @property
    def streams(self) -> bool:
        """Whether the response is streamed."""
        return Stream in (get_args(self.response_type) or (self.response_type,))

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[0]

    @property
    def description(self) -> str:
        """The handler's docstring without its first line."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[2].strip()

    async def respond(self, services: Services, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the role, decode the arguments, call the handler and send its result.

        The admission middleware has authenticated the request before. Raises :class:`Problem`.
        """
        signed_in: Session | None = scope.get("session")
        if self.role is not None and (signed_in is None or self.role not in signed_in.roles):
            raise Problem(problems.FORBIDDEN, f"Only for accounts with the role {self.role}.")
        arguments: dict[str, Any] = {}
        if self._path_checks is not None:
            values = scope["path_params"]
            for name, check in self._path_checks:
                if check(values[name]) is None:
                    raise Problem(problems.NOT_FOUND, "Invalid identifier.")
                arguments[name] = values[name]
        elif self._path is not None:
            arguments = _read_path(self._path, scope)
        if self.query is not None:
            arguments["query"] = read_query(self.query, scope["query_string"])
        if self._decoder is not None:
            arguments["body"] = await self._read_body(scope, receive)
        elif self.body is Upload:
            require_identity(scope)
            scope["slot"].release()
            arguments["body"] = Upload(scope, receive)
        result = await self.handler(RequestContext(scope, services, signed_in), **arguments)
        if isinstance(result, JsonBody):
            await write_body(scope, send, result)
            return
        headers: Headers = []
        status = self.status
        if isinstance(result, Response):
            headers.extend(result.headers)
            status = result.status or status
            result = result.body
        if isinstance(result, Stream):
            if not any(name == b"content-type" for name, _ in headers):
                headers.append((b"content-type", self.media_type.encode()))
            scope["slot"].release_for_stream()
            await write_stream(scope, receive, send, status, headers, result)
        elif result is None:
            await write(send, status, headers, b"", head=scope["method"] == "HEAD")
        elif isinstance(result, bytes):
            headers.append((b"content-type", self.media_type.encode()))
            await write(send, status, headers, result, head=scope["method"] == "HEAD")
        else:
            # Clients may cache data of an account and responses with Cache-Control, but not probe results.
            cacheable = self.access is Access.SESSION or any(name == b"cache-control" for name, _ in headers)
            await write_json(scope, send, status, headers, encode(result), tagged=cacheable)

    async def _read_body(self, scope: Scope, receive: Receive) -> Any:
        media_type = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Problem(problems.UNSUPPORTED_MEDIA_TYPE, "Send application/json.")
        require_identity(scope)
        # A client on a slow network must not occupy the slot of a request that could run now.
        scope["slot"].release()
        data = await read_body(scope, receive, MAX_JSON_BYTES)
        scope["slot"].acquire_again()
        assert self._decoder is not None
        try:
            return self._decoder.decode(data)
        except msgspec.ValidationError as error:
            raise invalid(error) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Problem(problems.MALFORMED, f"The body is not JSON: {error}") from error


class Routes:
    """The operations of one feature, below one path prefix and with one OpenAPI tag."""

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
        problem_types: Sequence[ProblemType] = (),
        media_type: str = "application/json",
        takes: Sequence[str] = ("application/json",),
        headers: Sequence[RequestHeader] = (),
        response_headers: Sequence[str] = (),
        other_statuses: Sequence[int] = (),
        priority: RequestPriority | None = None,
        rate_limit_class: RateLimitClass | None = None,
        seconds: float = 10.0,
        cache_policy: CachePolicy | None = None,
        cached: bool = False,
        encodes: Any = None,
    ) -> Callable[[Handler], Handler]:
        reads = method == "GET"
        # A cached response is sent to every client, so it must be a public read.
        assert cache_policy is None or (reads and access is Access.ANYONE and role is None)
        # A JsonBody is sent like the response of a read with a session.
        assert encodes is None or (reads and access is Access.SESSION and status == 200)

        def register(handler: Handler) -> Handler:
            local = {"Services": object, "Session": object}
            hints = get_type_hints(handler, localns=local, include_extras=True)
            response_type = hints.pop("return")
            if response_type is JsonBody:
                response_type = encodes
            if get_origin(response_type) is Response:
                (response_type,) = get_args(response_type)
            body, query = hints.pop("body", None), hints.pop("query", None)
            hints.pop("context")
            self.endpoints.append(
                Endpoint(
                    method=method,
                    path=self.prefix + path,
                    handler=handler,
                    tag=self.tag,
                    status=status,
                    access=access,
                    role=role,
                    problem_types=(*problem_types, *_implied(access, role, body, query, hints)),
                    media_type=media_type,
                    takes=tuple(takes),
                    headers=tuple(headers),
                    response_headers=tuple(response_headers),
                    other_statuses=tuple(other_statuses),
                    priority=priority
                    if priority is not None
                    else RequestPriority.READ
                    if reads
                    else RequestPriority.WRITE,
                    rate_limit_class=rate_limit_class
                    if rate_limit_class is not None
                    else RateLimitClass.READ
                    if reads
                    else RateLimitClass.WRITE,
                    seconds=seconds,
                    cache_policy=cache_policy,
                    cached=cached,
                    body=body,
                    query=query,
                    response_type=None if response_type is type(None) else response_type,
                    path_parameters=hints,
                    _decoder=None if body is None or body is Upload else msgspec.json.Decoder(body),
                    # A type instead of annotations: msgspec caches its analysis of types only.
                    _path=msgspec.defstruct("Path", list(hints.items())) if hints else None,
                    _path_checks=_patterns(hints),
                )
            )
            return handler

        return register


class Responder:
    """ASGI application of one operation."""

    def __init__(self, endpoint: Endpoint, services: Services) -> None:
        self._endpoint = endpoint
        self._services = services

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._endpoint.respond(self._services, scope, receive, send)


def authenticate(services: Services, scope: Scope) -> Session:
    """Return the session of the request's bearer token. Raises :class:`Problem` (401) without a valid one."""
    session = services.tokens.authenticate(raw_header(scope, b"authorization"))
    if session.id in services.revocations:
        raise Problem(
            problems.UNAUTHENTICATED,
            "The session was revoked. Sign in again.",
            headers={"www-authenticate": 'Bearer error="invalid_token"'},
        )
    return session


def _read_path(kind: type[msgspec.Struct], scope: Scope) -> dict[str, Any]:
    try:
        return msgspec.structs.asdict(msgspec.convert(scope["path_params"], kind, strict=False))
    except msgspec.ValidationError as error:
        # A malformed ID cannot match any resource.
        raise Problem(problems.NOT_FOUND, "Invalid identifier.") from error


def _patterns(parameters: dict[str, Any]) -> tuple[tuple[str, PathCheck], ...] | None:
    """Return a search for the pattern of each path parameter, if all are strings with nothing but a pattern.

    Identifiers are, and the general conversion takes three times as long.
    """
    checks: list[tuple[str, PathCheck]] = []
    for name, kind in parameters.items():
        pattern = next(
            (each.pattern for each in getattr(kind, "__metadata__", ()) if isinstance(each, Meta)), None
        )
        if pattern is None or kind != Annotated[str, Meta(pattern=pattern)]:
            return None
        checks.append((name, re.compile(pattern).search))
    return tuple(checks) or None


def _implied(
    access: Access, role: Role | None, body: type | None, query: type | None, path: dict[str, Any]
) -> list[ProblemType]:
    """Return the problem types that follow from a route's access and from the types of its parameters."""
    problem_types: list[ProblemType] = [problems.METHOD_NOT_ALLOWED]
    if access is Access.SESSION:
        problem_types.append(problems.UNAUTHENTICATED)
    if role is not None:
        problem_types.append(problems.FORBIDDEN)
    if body is not None:
        problem_types += [problems.BODY_TIMEOUT, problems.TOO_LARGE, problems.UNSUPPORTED_MEDIA_TYPE]
    if body is not None and body is not Upload:
        problem_types += [problems.MALFORMED, problems.INVALID]
    elif query is not None:
        problem_types.append(problems.INVALID)
    if path:
        problem_types.append(problems.NOT_FOUND)
    return problem_types
