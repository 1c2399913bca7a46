"""Which web pages may call the API from a browser (CORS), by configuration."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

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


def opened(app: ASGIApp, origins: AbstractSet[str]) -> ASGIApp:
    """The application for pages of these origins too; without any, for none.

    Outermost, so that a page can read refusals as well. Sessions are bearer tokens, not cookies, so no
    credentials are allowed: nothing a browser sends by itself counts for anything here.
    """
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=sorted(origins),
        allow_methods=_METHODS,
        allow_headers=_ASKED,
        expose_headers=_SHOWN,
        allow_credentials=False,
        max_age=_REMEMBERED_SECONDS,
    )
