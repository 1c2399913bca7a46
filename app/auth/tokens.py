"""Session tokens: signed by any pod, verified by any pod with nothing but the key.

A token is a JSON Web Token (RFC 7519) with HMAC-SHA256. The header is not negotiable: a token whose first
part is not, byte for byte, the one written here is refused, which leaves no algorithm to be confused about.

A refresh token names its session and a generation, and is signed too: a made-up one costs no look-up, and a
copy of the database holds nothing that could be presented.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from dataclasses import dataclass
from typing import Final

import msgspec

from app.http.problems import CONFIRMATION_OVER, RESET_OVER, SESSION_OVER, UNAUTHENTICATED, Problem

LIFETIME_SECONDS: Final = 900
_MOST_KNOWN: Final = 10_000  # tokens, about 5 MB of them
_HEADER: Final = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
_REFRESH: Final = re.compile(r"([0-9a-f-]{36})\.([1-9][0-9]{0,8})\.([A-Za-z0-9_-]{43})", re.ASCII)
_CONFIRMATION: Final = re.compile(r"([0-9a-f-]{36})\.([A-Za-z0-9_-]{43})", re.ASCII)
_RESET: Final = re.compile(r"([0-9a-f-]{36})\.([0-9]{1,9})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})", re.ASCII)


class Session(msgspec.Struct, frozen=True):
    """Who is asking. ``account`` is the account's id, ``id`` the sign-in's, ``expires`` in Unix time."""

    account: str = msgspec.field(name="sub")
    expires: int = msgspec.field(name="exp")
    id: str = msgspec.field(name="sid")
    plan: str = "free"
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refresh:
    """What a refresh token says: which session, and how often it had been renewed."""

    session: str
    generation: int


@dataclass(frozen=True, slots=True)
class Reset:
    """What a token of a password reset says. It is good while the account has that credential version, so
    once, and until ``expires`` (Unix time)."""

    account: str
    credential: int
    expires: int


class Tokens:
    """Signs with the first key, verifies with every key, so that keys can be changed one after the other."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._keys = keys
        self._known: dict[str, Session] = {}
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(Session)

    def sign(self, session: Session) -> str:
        """The token of a session."""
        payload = base64.urlsafe_b64encode(self._encoder.encode(session)).rstrip(b"=")
        signed = _HEADER + b"." + payload
        return (signed + b"." + _signature(self._keys[0], signed)).decode()

    def verify(self, token: str) -> Session:
        """The session of a token; :class:`Problem` (401) when it is forged, spoiled or over."""
        # A client shows the same token with every request of a quarter of an hour: the work is done once.
        session = self._known.get(token)
        if session is None:
            session = self._read(token)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[token] = session
        if session.expires <= time.time():
            raise _refused("The session is over; refresh it or sign in again.")
        return session

    def _read(self, token: str) -> Session:
        signed, _, signature = token.encode("ascii", "replace").rpartition(b".")
        header, _, payload = signed.partition(b".")
        if not self._fits(signed, signature) or header != _HEADER:
            raise _refused("The session token is not valid.")
        try:
            return self._decoder.decode(base64.urlsafe_b64decode(payload + b"=="))
        except (binascii.Error, msgspec.DecodeError) as error:
            raise _refused("The session token is not valid.") from error

    def sign_refresh(self, refresh: Refresh) -> str:
        """The refresh token; the same for the same generation while the signing key is."""
        signature = _signature(self._keys[0], _refresh_bytes(refresh)).decode()
        return f"{refresh.session}.{refresh.generation}.{signature}"

    def verify_refresh(self, token: str) -> Refresh:
        """What a refresh token says; :class:`Problem` (401) when it is forged."""
        match = _REFRESH.fullmatch(token)
        if match is None:
            raise Problem(SESSION_OVER, "The refresh token is not valid.")
        refresh = Refresh(match[1], int(match[2]))
        if not self._fits(_refresh_bytes(refresh), match[3].encode()):
            raise Problem(SESSION_OVER, "The refresh token is not valid.")
        return refresh

    def sign_device(self, email_key: str) -> str:
        """Proof that a device has signed in to the account of an address; it says nothing else."""
        return _signature(self._keys[0], _device_bytes(email_key)).decode()

    def is_device_of(self, email_key: str, token: str) -> bool:
        """Whether ``token`` was signed for that address."""
        return bool(token) and self._fits(_device_bytes(email_key), token.encode("ascii", "replace"))

    def sign_reset(self, reset: Reset) -> str:
        """The token of a password reset."""
        signature = _signature(self._keys[0], _reset_bytes(reset)).decode()
        return f"{reset.account}.{reset.credential}.{reset.expires}.{signature}"

    def verify_reset(self, token: str) -> Reset:
        """What a reset token says; :class:`Problem` (401) when it is forged or over."""
        match = _RESET.fullmatch(token)
        if match is not None:
            reset = Reset(match[1], int(match[2]), int(match[3]))
            if self._fits(_reset_bytes(reset), match[4].encode()) and reset.expires > time.time():
                return reset
        raise Problem(RESET_OVER, "Ask for another one.")

    def sign_confirmation(self, sign_up: str) -> str:
        """The code that confirms the address of a sign-up."""
        return f"{sign_up}.{_signature(self._keys[0], _confirmation_bytes(sign_up)).decode()}"

    def verify_confirmation(self, code: str) -> str:
        """The ID of a sign-up. Raises ``confirmation-over`` for a forged code."""
        match = _CONFIRMATION.fullmatch(code)
        if match is None or not self._fits(_confirmation_bytes(match[1]), match[2].encode()):
            raise Problem(CONFIRMATION_OVER, "Sign up again.")
        return match[1]

    def _fits(self, signed: bytes, signature: bytes) -> bool:
        # Every key is tried, so the time taken does not tell which one fitted.
        fits = [hmac.compare_digest(_signature(key, signed), signature) for key in self._keys]
        return any(fits)


def _refresh_bytes(refresh: Refresh) -> bytes:
    # Without a dot it can never be read as the first two parts of a session token.
    return f"refresh:{refresh.session}:{refresh.generation}".encode()


def _device_bytes(email_key: str) -> bytes:
    # Without a dot, as above; a colon in an address cannot make one kind of token look like another.
    return b"device:" + base64.urlsafe_b64encode(email_key.encode("utf-8", "replace"))


def _reset_bytes(reset: Reset) -> bytes:
    return f"reset:{reset.account}:{reset.credential}:{reset.expires}".encode()


def _confirmation_bytes(sign_up: str) -> bytes:
    return f"confirmation:{sign_up}".encode()


def _signature(key: bytes, signed: bytes) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(key, signed, "sha256")).rstrip(b"=")


def _refused(detail: str) -> Problem:
    return Problem(UNAUTHENTICATED, detail, headers={"www-authenticate": 'Bearer error="invalid_token"'})
