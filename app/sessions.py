"""Session tokens: signed by any pod, verified by any pod with nothing but the key.

A token is a JSON Web Token (RFC 7519) with HMAC-SHA256. The header is not negotiable: a token whose first
part is not, byte for byte, the one written here is refused, which leaves no algorithm to be confused about.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from typing import Final

import msgspec

from app.problems import UNAUTHENTICATED, Problem

LIFETIME_SECONDS: Final = 900
_HEADER: Final = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")


class Session(msgspec.Struct, frozen=True):
    """Who is asking. ``account`` is the account's id, ``expires`` in seconds since 1970."""

    account: str = msgspec.field(name="sub")
    expires: int = msgspec.field(name="exp")
    plan: str = "free"
    roles: tuple[str, ...] = ()


class Tokens:
    """Signs sessions with the first key, verifies them with every key."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._keys = keys
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(Session)

    def sign(self, session: Session) -> str:
        """The token of a session."""
        payload = base64.urlsafe_b64encode(self._encoder.encode(session)).rstrip(b"=")
        signed = _HEADER + b"." + payload
        return (signed + b"." + _signature(self._keys[0], signed)).decode()

    def verify(self, token: str) -> Session:
        """The session of a token; :class:`Problem` (401) when it is forged, spoiled or over."""
        signed, _, signature = token.encode("ascii", "replace").rpartition(b".")
        header, _, payload = signed.partition(b".")
        # Every key is tried, so the time taken does not tell which one fitted.
        fits = [hmac.compare_digest(_signature(key, signed), signature) for key in self._keys]
        if not any(fits) or header != _HEADER:
            raise _refused("The session token is not valid.")
        try:
            session = self._decoder.decode(base64.urlsafe_b64decode(payload + b"=="))
        except (binascii.Error, msgspec.DecodeError) as error:
            raise _refused("The session token is not valid.") from error
        if session.expires <= time.time():
            raise _refused("The session is over; sign in again.")
        return session


def _signature(key: bytes, signed: bytes) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(key, signed, "sha256")).rstrip(b"=")


def _refused(detail: str) -> Problem:
    return Problem(UNAUTHENTICATED, detail, headers={"www-authenticate": 'Bearer error="invalid_token"'})
