"""Which web pages may call the API from a browser (CORS), by configuration."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from app.http.problems import NOT_SHARED, Problem
from app.http.responses import encode

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE")
_ASKED: Final = (
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
_SHOWN: Final = (
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
_REMEMBERED_SECONDS: Final = 600


class Origins(CORSMiddleware):
    """Starlette's, whose refusals are problem details too; ``base`` is the service's public address."""

    def __init__(self, app: ASGIApp, origins: AbstractSet[str], base: str) -> None:
        super().__init__(
            app,
            allow_origins=sorted(origins),
            allow_methods=_METHODS,
            allow_headers=_ASKED,
            expose_headers=_SHOWN,
            allow_credentials=False,
            max_age=_REMEMBERED_SECONDS,
        )
        self._base = base

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a browser that asks whether a page may ask."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < NOT_SHARED.status:
            return answer
        problem = Problem(NOT_SHARED, f"{bytes(answer.body).decode()}.")
        body = encode(problem.details(self._base, ""))
        headers = {key: value for key, value in answer.headers.items() if key != "content-length"}
        headers["content-type"] = "application/problem+json"
        return Response(body, NOT_SHARED.status, headers)


def opened(app: ASGIApp, origins: AbstractSet[str], base: str) -> ASGIApp:
    """The application for pages of these origins too; without any, for none.

    Outermost, so that a page can read refusals as well. Sessions are bearer tokens, not cookies, so no
    credentials are allowed: nothing a browser sends by itself counts for anything here.
    """
    return Origins(app, origins, base) if origins else app
