"""Signed URLs of images with an expiry.

The signature is an HMAC-SHA256 over media ID, name and expiry, with a key derived from the session key so
that the signatures of sessions and URLs are not interchangeable. Expiry is rounded to full hours, so every
client gets the same URL and an edge cache stores one copy.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable
from typing import Final

from app.http.problems import FORBIDDEN, Problem

_STEP_SECONDS: Final = 3600


class SignedUrls:
    """Signs with the first of ``keys`` and accepts signatures of all of them, which allows key rotation."""

    def __init__(self, keys: tuple[bytes, ...], *, clock: Callable[[], float] = time.time) -> None:
        self._keys = [hmac.digest(key, b"media links", "sha256") for key in keys]
        self._clock = clock

    def sign(self, media: str, name: str) -> str:
        """Return the signed path of an image, valid for one to two hours."""
        expires = (int(self._clock()) // _STEP_SECONDS + 2) * _STEP_SECONDS
        signature = _signature(self._keys[0], media, name, expires)
        return f"/v1/media/{media}/{name}?{query_string(expires, signature)}"

    def verify(self, media: str, name: str, expires: int, signature: str) -> int:
        """Return the seconds until the URL expires. Raises :class:`Problem` (403) if it is invalid or
        expired.
        """
        given = signature.encode()
        matches = [
            hmac.compare_digest(_signature(key, media, name, expires).encode(), given) for key in self._keys
        ]
        left = expires - int(self._clock())
        if not any(matches) or left <= 0:
            raise Problem(FORBIDDEN, "The signed URL is invalid or expired. Request a new one.")
        return left


def query_string(expires: int, signature: str) -> str:
    """Return the query string of a signed URL.

    Requests with another spelling of it are refused, because a cache in front of the service would store each
    spelling as another copy.
    """
    return f"expires={expires}&signature={signature}"


def object_name(media: str, name: str) -> str:
    """Return the name of the object in the bucket."""
    return f"media/{media}/{name}"


def _signature(key: bytes, media: str, name: str, expires: int) -> str:
    # Neither an ID nor a name contains a slash, so the signed text is unambiguous.
    digest = hmac.digest(key, f"{media}/{name}/{expires}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
