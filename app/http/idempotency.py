"""Idempotency keys: a request that is sent again is executed once.

Implements draft-ietf-httpapi-idempotency-key-header-07. The client identifies a request with the header
``Idempotency-Key``. The key is stored in the document that the request creates, under a unique index, so key
and effect are written atomically. A repeated key returns the first result, or 422 if the body differs.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from app.http.problems import INVALID, KEY_REUSED, FieldError, Problem
from app.http.routing import RequestHeader
from app.http.text import END

if TYPE_CHECKING:
    from app.connections import Document
    from app.http.routing import RequestContext

_PATTERN: Final = r'^"?[A-Za-z0-9_.:+/=-]{8,128}"?' + END
_KEY: Final = re.compile(_PATTERN, re.ASCII)
REPLAYED: Final = (b"idempotency-replayed", b"true")

KEY: Final = RequestHeader(
    "Idempotency-Key",
    "Identifies the request, so that a retry is not executed twice: 8 to 128 characters, preferably a UUID.",
    pattern=_PATTERN,
)
REQUIRED_KEY: Final = RequestHeader(KEY.name, KEY.description, required=True, pattern=_PATTERN)


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request with an idempotency key; the document it creates stores :meth:`fields`.

    ``name`` is the account and the key, ``fingerprint`` the SHA-256 of method, path and body.
    """

    name: str
    fingerprint: str

    def fields(self) -> Document:
        """Return the fields to store in the created document; ``request`` needs a unique index."""
        return {"request": self.name, "fingerprint": self.fingerprint}

    def check(self, created: Document) -> None:
        """Raise :class:`Problem` (422) if ``created`` results from a different request with the same key."""
        if created["fingerprint"] != self.fingerprint:
            raise Problem(KEY_REUSED, "Use a new key for another request, or send the first one unchanged.")


def request(context: RequestContext, body: msgspec.Struct) -> IdempotentRequest | None:
    """Return the request's key and fingerprint; ``None`` without an ``Idempotency-Key`` header.

    Raises :class:`Problem` (422) for a malformed key.
    """
    return None if context.header(b"idempotency-key") is None else required(context, body)


def required(context: RequestContext, body: msgspec.Struct) -> IdempotentRequest:
    """Like :func:`request`, but raise :class:`Problem` (422) also for a missing key."""
    value = context.header(b"idempotency-key")
    if value is None:
        raise _invalid_key("is missing")
    if _KEY.fullmatch(value) is None:
        raise _invalid_key("must be 8 to 128 letters, digits and _.:+/=-")
    # The same body has another meaning on another route. The account in the name separates the keys of
    # accounts, so that one account cannot probe for the keys of another.
    content = f"{context.scope['method']} {context.scope['path']} ".encode() + msgspec.json.encode(body)
    name = f"{context.session.account}:{value.strip(chr(34))}"
    return IdempotentRequest(name, hashlib.sha256(content).hexdigest())


def _invalid_key(detail: str) -> Problem:
    return Problem(
        INVALID,
        f"The header Idempotency-Key {detail}.",
        errors=[FieldError(at="Idempotency-Key", detail=detail)],
    )
