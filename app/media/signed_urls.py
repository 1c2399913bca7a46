"""Addresses of pictures that are good for a while, to whoever has them.

The address carries its end and a signature over both (HMAC-SHA256, with a key derived from the session key,
so that neither can stand for the other). It is the same for everybody for an hour: the edge keeps one copy.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.http.problems import FORBIDDEN, Problem

_STEP_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class Grant:
    """A good signature: for how many more seconds."""

    seconds: int


class Links:
    """Signs with the first key, accepts every key."""

    def __init__(self, keys: tuple[bytes, ...], *, clock: Callable[[], float] = time.time) -> None:
        self._keys = [hmac.digest(key, b"media links", "sha256") for key in keys]
        self._clock = clock

    def sign(self, media: str, name: str) -> str:
        """The path of a picture, good for one to two hours."""
        expires = (int(self._clock()) // _STEP_SECONDS + 2) * _STEP_SECONDS
        signature = _signature(self._keys[0], media, name, expires)
        return f"/v1/media/{media}/{name}?expires={expires}&signature={signature}"

    def verify(self, media: str, name: str, expires: int, signature: str) -> Grant:
        """For how long it is still good; :class:`Problem` (403) when it is not."""
        shown = signature.encode()
        fits = [
            hmac.compare_digest(_signature(key, media, name, expires).encode(), shown) for key in self._keys
        ]
        left = expires - int(self._clock())
        if not any(fits) or left <= 0:
            raise Problem(FORBIDDEN, "The address is no longer good; ask for a new one.")
        return Grant(left)


def object_name(media: str, name: str) -> str:
    """Where the bucket has it."""
    return f"media/{media}/{name}"


def _signature(key: bytes, media: str, name: str, expires: int) -> str:
    # A slash cannot be part of an id or a name, so the three cannot be cut in another way.
    digest = hmac.digest(key, f"{media}/{name}/{expires}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
