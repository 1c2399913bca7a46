"""Response headers that keep browsers from guessing."""

from __future__ import annotations

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
_DEFAULTS: Final = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
}


class SecureHeaders:
    """Adds the headers; what does not say how it may be cached may not be."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                headers.extend(_HEADERS)
                said = {name for name, _ in headers}
                headers.extend(each for each in _DEFAULTS.items() if each[0] not in said)
            await send(message)

        await self._app(scope, receive, secured)
