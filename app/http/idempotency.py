"""Requests that may be sent twice and are carried out once.

After draft-ietf-httpapi-idempotency-key-header-07: the client names a request with the header
``Idempotency-Key``. What the request makes carries that name under a unique index, in the same write as the
effect, so there is no moment at which one is there without the other; the same name again gives what was made
the first time, and 422 when it comes with another body.
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
    from app.http.routing import Call

_PATTERN: Final = r'^"?[A-Za-z0-9_.:+/=-]{8,128}"?' + END
_KEY: Final = re.compile(_PATTERN, re.ASCII)
REPLAYED: Final = (b"idempotency-replayed", b"true")

KEY: Final = RequestHeader(
    "Idempotency-Key",
    "Names the request, so that it can be sent again without being carried out twice: 8 to 128 characters, "
    "best a UUID.",
    pattern=_PATTERN,
)
REQUIRED_KEY: Final = RequestHeader(KEY.name, KEY.description, required=True, pattern=_PATTERN)


@dataclass(frozen=True, slots=True)
class Request:
    """A named request of an account; what it makes keeps :meth:`fields`."""

    name: str
    fingerprint: str

    def fields(self) -> Document:
        """What a document must carry; ``request`` under a unique index."""
        return {"request": self.name, "fingerprint": self.fingerprint}

    def check(self, made: Document) -> None:
        """That ``made`` is the work of this request; :class:`Problem` (422) when it is another's."""
        if made["fingerprint"] != self.fingerprint:
            raise Problem(KEY_REUSED, "Use a new key for another request, or send the first one unchanged.")


def request(call: Call, body: msgspec.Struct) -> Request | None:
    """The named request, or ``None`` when it has no name."""
    return None if call.header(b"idempotency-key") is None else required(call, body)


def required(call: Call, body: msgspec.Struct) -> Request:
    """The named request; :class:`Problem` (422) when it has no name, or none that can be one."""
    value = call.header(b"idempotency-key")
    if value is None:
        raise _wrong("is missing")
    if _KEY.fullmatch(value) is None:
        raise _wrong("must be 8 to 128 letters, digits and _.:+/=-")
    # The route is part of the body's meaning; the account, of the name: nobody can guess at another's.
    what = f"{call.scope['method']} {call.scope['path']} ".encode() + msgspec.json.encode(body)
    return Request(f"{call.session.account}:{value.strip(chr(34))}", hashlib.sha256(what).hexdigest())


def _wrong(detail: str) -> Problem:
    return Problem(
        INVALID,
        f"The header Idempotency-Key {detail}.",
        errors=[FieldError(at="Idempotency-Key", detail=detail)],
    )
