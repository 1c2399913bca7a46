"""Whose request it is: the address of the client, believed only as far as the proxies are trusted.

``X-Forwarded-For`` is a list that every proxy appends to; whatever stands left of the first address that is
not a trusted proxy's was written by the client and can say anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from starlette.types import Scope

from app.http.requests import raw_header
from app.settings import Network

_MOST_KNOWN: Final = 20_000
_LONGEST_LIST: Final = 512


class Addresses:
    """Reads client addresses. ``trusted``: the networks of our own proxies."""

    def __init__(self, trusted: Iterable[Network]) -> None:
        self._trusted = tuple(trusted)
        # Parsing costs more than everything else here, and the same clients come again and again.
        self._known: dict[tuple[str, bytes], str] = {}

    def of(self, scope: Scope) -> str:
        """What the limits count: an IPv4 address, or the /64 of an IPv6 one (a household has that many)."""
        client = scope["client"]
        peer = client[0] if client else ""
        forwarded = b""
        if raw_header(scope, b"x-forwarded-for") is not None:
            forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        key = (peer, forwarded)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._read(peer, forwarded)
            if len(forwarded) <= _LONGEST_LIST:
                self._known[key] = known
        return known

    def _read(self, peer: str, forwarded: bytes) -> str:
        address = _parse(peer)
        if address is None:
            return "unknown"  # a Unix socket, or no peer at all: one bucket for all of them
        hops = forwarded[-_LONGEST_LIST:].decode("latin-1").split(",") if forwarded else []
        while hops and self._trusts(address):
            before = _parse(hops.pop().strip())
            if before is None:
                break  # a trusted proxy passed on nonsense: what is known ends at that proxy
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
