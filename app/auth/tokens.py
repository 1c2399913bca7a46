"""Session tokens: signed and verified by any pod with the shared keys, without a database query.

An access token is a JSON Web Token (RFC 7519) with HMAC-SHA256. A token whose header differs from the one
written here is rejected, which excludes algorithm confusion.

Refresh, reset and confirmation tokens are signed as well: a forged one is rejected without a database query,
and a copy of the database contains no usable token.
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

from app.http.problems import CONFIRMATION_EXPIRED, RESET_EXPIRED, SESSION_EXPIRED, UNAUTHENTICATED, Problem

LIFETIME_SECONDS: Final = 900
_MAX_CACHED: Final = 10_000  # headers, about 5 MB
# Longer headers are verified each time: spaces before a token would make many large entries of it.
_MAX_CACHED_BYTES: Final = 1_024
_HEADER: Final = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
_REFRESH: Final = re.compile(r"([0-9a-f-]{36})\.([1-9][0-9]{0,8})\.([A-Za-z0-9_-]{43})", re.ASCII)
_CONFIRMATION: Final = re.compile(r"([0-9a-f-]{36})\.([A-Za-z0-9_-]{43})", re.ASCII)
_RESET: Final = re.compile(r"([0-9a-f-]{36})\.([0-9]{1,9})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})", re.ASCII)


class Session(msgspec.Struct, frozen=True):
    """The claims of an access token. ``id`` identifies the session, ``expires`` is in Unix time."""

    account: str = msgspec.field(name="sub")
    expires: int = msgspec.field(name="exp")
    id: str = msgspec.field(name="sid")
    plan: str = "free"
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """The claims of a refresh token: the session, and the number of its refreshes plus 1."""

    session: str
    generation: int


@dataclass(frozen=True, slots=True)
class ResetClaims:
    """The claims of a password-reset token.

    The token is valid until ``expires`` (Unix time) and while the account has the credential version
    ``credential``. A reset increments that version, so a token can be used once.
    """

    account: str
    credential: int
    expires: int


class Tokens:
    """Signs with the first key and verifies with all keys, so that keys can be rotated."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._keys = keys
        self._verified: dict[bytes, Session] = {}  # by the value of the header
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(Session)

    def sign(self, session: Session) -> str:
        """Return the access token of a session."""
        payload = base64.urlsafe_b64encode(self._encoder.encode(session)).rstrip(b"=")
        signed = _HEADER + b"." + payload
        return (signed + b"." + _signature(self._keys[0], signed)).decode()

    def authenticate(self, authorization: bytes | None) -> Session:
        """Return the session of an ``Authorization`` header with an access token as bearer token.

        Raises :class:`Problem` (401) without a bearer token, and as :meth:`verify`.
        """
        # A client sends the same header for up to 15 minutes, so the verification is cached.
        session = None if authorization is None else self._verified.get(authorization)
        if session is not None and session.expires > time.time():
            return session
        scheme, _, token = (authorization or b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Problem(
                UNAUTHENTICATED,
                "Send the header Authorization: Bearer <token>.",
                headers={"www-authenticate": "Bearer"},
            )
        session = self.verify(token.strip())
        if authorization is not None and len(authorization) <= _MAX_CACHED_BYTES:
            if len(self._verified) >= _MAX_CACHED:
                self._verified.clear()
            self._verified[authorization] = session
        return session

    def verify(self, token: str) -> Session:
        """Decode an access token. Raises :class:`Problem` (401) if it is invalid, malformed or expired."""
        session = self._read(token)
        if session.expires <= time.time():
            raise _invalid_token("The session has expired. Refresh it or sign in again.")
        return session

    def _read(self, token: str) -> Session:
        signed, _, signature = token.encode("ascii", "replace").rpartition(b".")
        header, _, payload = signed.partition(b".")
        if not self._is_signed(signed, signature) or header != _HEADER:
            raise _invalid_token("The session token is invalid.")
        try:
            return self._decoder.decode(base64.urlsafe_b64decode(payload + b"=="))
        except (binascii.Error, msgspec.DecodeError) as error:
            raise _invalid_token("The session token is invalid.") from error

    def sign_refresh(self, refresh: RefreshClaims) -> str:
        """Return the refresh token; deterministic for a session, a generation and a signing key."""
        signature = _signature(self._keys[0], _refresh_bytes(refresh)).decode()
        return f"{refresh.session}.{refresh.generation}.{signature}"

    def verify_refresh(self, token: str) -> RefreshClaims:
        """Decode a refresh token. Raises :class:`Problem` (401) if it is invalid."""
        match = _REFRESH.fullmatch(token)
        if match is None:
            raise Problem(SESSION_EXPIRED, "The refresh token is invalid.")
        refresh = RefreshClaims(match[1], int(match[2]))
        if not self._is_signed(_refresh_bytes(refresh), match[3].encode()):
            raise Problem(SESSION_EXPIRED, "The refresh token is invalid.")
        return refresh

    def sign_device(self, email_key: str) -> str:
        """Return a token that proves that a device has signed in to the account of an e-mail address."""
        return _signature(self._keys[0], _device_bytes(email_key)).decode()

    def is_device_of(self, email_key: str, token: str) -> bool:
        """Return whether ``token`` was signed for that e-mail address."""
        return bool(token) and self._is_signed(_device_bytes(email_key), token.encode("ascii", "replace"))

    def sign_reset(self, reset: ResetClaims) -> str:
        """Return the token of a password reset."""
        signature = _signature(self._keys[0], _reset_bytes(reset)).decode()
        return f"{reset.account}.{reset.credential}.{reset.expires}.{signature}"

    def verify_reset(self, token: str) -> ResetClaims:
        """Decode a password-reset token. Raises :class:`Problem` (401) if it is invalid or expired."""
        match = _RESET.fullmatch(token)
        if match is not None:
            reset = ResetClaims(match[1], int(match[2]), int(match[3]))
            if self._is_signed(_reset_bytes(reset), match[4].encode()) and reset.expires > time.time():
                return reset
        raise Problem(RESET_EXPIRED, "Request a new password reset.")

    def sign_confirmation(self, sign_up: str) -> str:
        """Return the code that confirms the e-mail address of a sign-up."""
        return f"{sign_up}.{_signature(self._keys[0], _confirmation_bytes(sign_up)).decode()}"

    def verify_confirmation(self, code: str) -> str:
        """Return the ID of the sign-up. Raises :class:`Problem` (401) for an invalid code."""
        match = _CONFIRMATION.fullmatch(code)
        if match is None or not self._is_signed(_confirmation_bytes(match[1]), match[2].encode()):
            raise Problem(CONFIRMATION_EXPIRED, "Sign up again.")
        return match[1]

    def _is_signed(self, signed: bytes, signature: bytes) -> bool:
        # All keys are tried, so that the duration does not reveal which one matched.
        matches = [hmac.compare_digest(_signature(key, signed), signature) for key in self._keys]
        return any(matches)


def _refresh_bytes(refresh: RefreshClaims) -> bytes:
    # Contains no dot, so it cannot be mistaken for header and payload of an access token.
    return f"refresh:{refresh.session}:{refresh.generation}".encode()


def _device_bytes(email_key: str) -> bytes:
    # Base64, because an address may contain dots and colons, which separate the parts of other tokens.
    return b"device:" + base64.urlsafe_b64encode(email_key.encode("utf-8", "replace"))


def _reset_bytes(reset: ResetClaims) -> bytes:
    return f"reset:{reset.account}:{reset.credential}:{reset.expires}".encode()


def _confirmation_bytes(sign_up: str) -> bytes:
    return f"confirmation:{sign_up}".encode()


def _signature(key: bytes, signed: bytes) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(key, signed, "sha256")).rstrip(b"=")


def _invalid_token(detail: str) -> Problem:
    return Problem(UNAUTHENTICATED, detail, headers={"www-authenticate": 'Bearer error="invalid_token"'})
