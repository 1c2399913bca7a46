"""Security response headers for browsers."""

from __future__ import annotations

from functools import cache
from typing import Final

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),  # browsers must not guess the type of an upload
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"strict-transport-security", b"max-age=63072000; includeSubDomains"),
)
# Defaults that a route can override. A response opened as a document cannot run anything, is not shown in
# frames, and cannot be embedded by other sites.
_DEFAULTS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


_ALL: Final = (*_HEADERS, *_DEFAULTS)
_OVERRIDABLE: Final = frozenset(name for name, _ in _DEFAULTS)


def add_security_headers(headers: list[tuple[bytes, bytes]]) -> None:
    """Add security headers to the headers of a response, and ``Cache-Control: no-store`` unless it is set."""
    overridden: tuple[bytes, ...] = ()
    for name, _ in headers:
        if name in _OVERRIDABLE:
            overridden += (name,)
    headers.extend(_all_but(overridden))


@cache  # the names are those that routes set, so there are few combinations
def _all_but(overridden: tuple[bytes, ...]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(each for each in _ALL if each[0] not in overridden)
