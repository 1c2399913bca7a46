"""Determine the client address from ``X-Forwarded-For``, honoring only entries added by trusted proxies.

Every proxy appends to ``X-Forwarded-For``. The list is read from its end; entries before the first address
that is not a trusted proxy were written by the client and are ignored, because they can be forged.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from starlette.types import Scope

from app.http.requests import raw_header
from app.settings.environment import Network

_MAX_CACHED: Final = 20_000
_MAX_HEADER_BYTES: Final = 512


class ClientAddresses:
    """Client addresses of requests. ``trusted`` are the networks of the platform's own proxies."""

    def __init__(self, trusted: Iterable[Network]) -> None:
        self._trusted = tuple(trusted)
        # Parsing is the most expensive step, and the same clients send many requests.
        self._cache: dict[tuple[str, bytes], str] = {}

    def find(self, scope: Scope) -> str:
        """Return the key for per-client limits: an IPv4 address, or the /64 network of an IPv6 address.

        A household usually has a whole /64. Returns ``unknown`` for a peer without an IP address.
        """
        client = scope["client"]
        peer = client[0] if client else ""
        forwarded = raw_header(scope, b"x-forwarded-for")
        if forwarded is None:
            forwarded = b""
        elif len(scope["named_headers"]) < len(scope["headers"]):  # a header is repeated, possibly this one
            forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        key = (peer, forwarded)
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            found = self._read(peer, forwarded)
            if len(forwarded) <= _MAX_HEADER_BYTES:
                self._cache[key] = found
        return found

    def _read(self, peer: str, forwarded: bytes) -> str:
        address = _parse(peer)
        if address is None:
            return "unknown"  # a Unix socket, or no peer at all: one bucket for all of them
        hops = forwarded[-_MAX_HEADER_BYTES:].decode("latin-1").split(",") if forwarded else []
        while hops and self._trusts(address):
            before = _parse(hops.pop().strip())
            if before is None:
                break  # a trusted proxy forwarded a malformed entry: its own address is the best known one
            address = before
        if isinstance(address, IPv6Address):
            return str(IPv6Network((address, 64), strict=False))
        return str(address)

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted if network.version == address.version)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
