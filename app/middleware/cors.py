"""Cross-origin resource sharing (CORS) for the configured origins."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

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
    """Starlette's middleware with problem details for rejected preflights; ``base`` is the public URL."""

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


def with_cors(app: ASGIApp, origins: AbstractSet[str], base: str) -> ASGIApp:
    """Wrap the application so that pages of ``origins`` can call it; without origins, return it unchanged.

    Outermost, so that pages can read error responses too. Sessions are bearer tokens instead of cookies, so
    credentials are not allowed: nothing that a browser sends automatically authenticates a request.
    """
    return ProblemCORSMiddleware(app, origins, base) if origins else app
