"""CORS: public responses allow every origin, other responses the configured origins."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Send

from app.http.problems import ORIGIN_NOT_ALLOWED, Problem
from app.http.responses import encode

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE")
_ALLOWED_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Range",
    "Traceparent",
    "X-Deadline-Ms",
    "X-Firebase-AppCheck",
    "X-Request-Id",
)
_EXPOSED_HEADERS: Final = (
    "Content-Range",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Server-Timing",
    "X-Request-Id",
)
_PREFLIGHT_SECONDS: Final = 600


class ProblemCORSMiddleware(CORSMiddleware):
    """Starlette's middleware with problem details for rejected preflights; ``base`` is the public URL.

    Responses that shared caches may store allow every origin and do not vary by it, as the Fetch standard
    recommends ("CORS protocol and HTTP caches"): a cache stores one copy, which is valid for pages of all
    origins and for requests without an ``Origin``. They contain nothing that depends on a session.
    """

    def __init__(self, app: ASGIApp, origins: AbstractSet[str], base: str) -> None:
        super().__init__(
            app,
            allow_origins=sorted(origins),
            allow_methods=_METHODS,
            allow_headers=_ALLOWED_HEADERS,
            expose_headers=_EXPOSED_HEADERS,
            allow_credentials=False,
            max_age=_PREFLIGHT_SECONDS,
        )
        self._base = base

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the response to a preflight request."""
        response = super().preflight_response(request_headers)
        if response.status_code < ORIGIN_NOT_ALLOWED.status:
            return response
        problem = Problem(ORIGIN_NOT_ALLOWED, f"{bytes(response.body).decode()}.")
        body = encode(problem.details(self._base, ""))
        headers = {key: value for key, value in response.headers.items() if key != "content-length"}
        headers["content-type"] = "application/problem+json"
        return Response(body, ORIGIN_NOT_ALLOWED.status, headers)

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        """Send a message of the application, with CORS headers on the start of a response."""
        if message["type"] != "http.response.start" or not _is_public(message["headers"]):
            await super().send(message, send, request_headers)
            return
        headers = MutableHeaders(scope=message)
        headers.update(self.simple_headers)
        headers["Access-Control-Allow-Origin"] = "*"
        await send(message)


def _is_public(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether shared caches may store a response with these headers."""
    return any(name == b"cache-control" and value.startswith(b"public") for name, value in headers)


def with_cors(app: ASGIApp, origins: AbstractSet[str], base: str) -> ASGIApp:
    """Wrap the application so that pages of ``origins`` can call it; without origins, return it unchanged.

    Outermost, so that pages can read error responses too. Sessions are bearer tokens instead of cookies, so
    credentials are not allowed: nothing that a browser sends automatically authenticates a request.
    """
    return ProblemCORSMiddleware(app, origins, base) if origins else app
