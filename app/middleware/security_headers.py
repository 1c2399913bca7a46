"""Response headers that keep browsers from guessing."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),  # an upload is what we say it is, not what it looks like
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"strict-transport-security", b"max-age=63072000; includeSubDomains"),
)
# Unless the route says otherwise. An answer that is opened as a page can do nothing, is shown in no frame,
# and other sites cannot embed it.
_DEFAULTS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class SecurityHeadersMiddleware:
    """Adds the headers to every answer; what does not say how it may be cached may not be."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)

        # No coroutines of their own, this one and the one above: every message of every answer comes by.
        def secured(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                said = {name for name, _ in headers}
                headers.extend(_HEADERS)
                for default in _DEFAULTS:
                    if default[0] not in said:
                        headers.append(default)
            return send(message)

        return self._app(scope, receive, secured)
