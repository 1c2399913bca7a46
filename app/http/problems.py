"""Every error a client can see, as problem details (RFC 9457).

``type`` leads to the paragraph of the documentation page that explains the kind; ``title`` is the same for
every occurrence of it; ``detail`` is about this one; ``errors`` points at the members that are wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec


@dataclass(frozen=True)
class Kind:
    """A kind of problem: its place in the documentation, its status and its title."""

    slug: str
    status: int
    title: str


MALFORMED: Final = Kind("malformed", 400, "The request cannot be read")
NOT_SHARED: Final = Kind("not-shared", 400, "Pages of that origin may not ask this")
UNAUTHENTICATED: Final = Kind("unauthenticated", 401, "Sign in first")
WRONG_CREDENTIALS: Final = Kind("wrong-credentials", 401, "The e-mail address or the password is wrong")
SESSION_OVER: Final = Kind("session-over", 401, "The session is over")
CONFIRMATION_OVER: Final = Kind(
    "confirmation-over", 401, "The confirmation code has expired or was used already"
)
RESET_OVER: Final = Kind("reset-over", 401, "The password reset has expired or was used already")
PAYMENT_REQUIRED: Final = Kind("payment-required", 402, "The balance does not cover it")
FORBIDDEN: Final = Kind("forbidden", 403, "Not allowed")
NOT_FOUND: Final = Kind("not-found", 404, "There is nothing here")
METHOD_NOT_ALLOWED: Final = Kind("method-not-allowed", 405, "This cannot be done here")
BODY_TIMEOUT: Final = Kind("body-timeout", 408, "The body of the request did not arrive in time")
CONFLICT: Final = Kind("conflict", 409, "The present state does not allow it")
IN_PROGRESS: Final = Kind("in-progress", 409, "The same request is being carried out now")
CHANGED_SINCE: Final = Kind("changed-since", 412, "It has changed since it was read")
TOO_LARGE: Final = Kind("too-large", 413, "The body is too large")
ADDRESS_TOO_LONG: Final = Kind("address-too-long", 414, "The address is too long")
UNSUPPORTED_MEDIA_TYPE: Final = Kind(
    "unsupported-media-type", 415, "The body is of a type that is not read here"
)
RANGE_NOT_SATISFIABLE: Final = Kind("range-not-satisfiable", 416, "There is no such part of it")
INVALID: Final = Kind("invalid", 422, "The request is not valid")
KEY_REUSED: Final = Kind("idempotency-key-reused", 422, "The idempotency key belongs to another request")
ALLOWANCE_USED: Final = Kind("allowance-used", 403, "The plan does not include more")
PICTURE_REFUSED: Final = Kind("picture-refused", 422, "The picture cannot be accepted")
TOO_MANY_REQUESTS: Final = Kind("too-many-requests", 429, "Too many requests")
HEAD_TOO_LARGE: Final = Kind("head-too-large", 431, "The head of the request is too large")
INTERNAL: Final = Kind("internal", 500, "Something went wrong on our side")
DEADLINE: Final = Kind("deadline-exceeded", 504, "It took too long")
UNAVAILABLE: Final = Kind("unavailable", 503, "The service is temporarily unavailable")

KINDS: Final = tuple(value for value in list(globals().values()) if isinstance(value, Kind))


class FieldError(msgspec.Struct, frozen=True):
    """One wrong member: where it is (a JSON path, or a parameter's name) and what is wrong."""

    at: str
    detail: str


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error, as RFC 9457 lays it out; ``request_id`` and ``errors`` are extension members."""

    type: str
    title: str
    status: int
    detail: str = ""
    request_id: str = ""
    errors: tuple[FieldError, ...] = ()


class Problem(Exception):  # noqa: N818 (the word of the standard)
    """Raised anywhere below a route, sent to the client as problem details."""

    def __init__(
        self,
        kind: Kind,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{kind.slug}: {detail}")
        self.kind = kind
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def details(self, base: str, request_id: str) -> ProblemDetails:
        """The body; ``base`` is the service's public address, ``request_id`` names it in the logs."""
        return ProblemDetails(
            type=f"{base}/docs#{self.kind.slug}",
            title=self.kind.title,
            status=self.kind.status,
            detail=self.detail,
            request_id=request_id,
            errors=self.errors,
        )
