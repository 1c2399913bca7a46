"""Errors returned to clients, as problem details (RFC 9457).

``type`` is a link to the problem type in the documentation page, ``title`` is fixed per type, ``detail``
describes the occurrence, and ``errors`` lists the invalid members of the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec


@dataclass(frozen=True)
class ProblemType:
    """A problem type: its anchor in the documentation page, its HTTP status and its title."""

    slug: str
    status: int
    title: str


MALFORMED: Final = ProblemType("malformed", 400, "Malformed request")
ORIGIN_NOT_ALLOWED: Final = ProblemType("origin-not-allowed", 400, "Origin not allowed")
UNAUTHENTICATED: Final = ProblemType("unauthenticated", 401, "Authentication required")
WRONG_CREDENTIALS: Final = ProblemType("wrong-credentials", 401, "Wrong e-mail address or password")
SESSION_EXPIRED: Final = ProblemType("session-expired", 401, "Session expired")
CONFIRMATION_EXPIRED: Final = ProblemType(
    "confirmation-expired", 401, "Confirmation code expired or already used"
)
RESET_EXPIRED: Final = ProblemType("reset-expired", 401, "Password reset expired or already used")
INSUFFICIENT_BALANCE: Final = ProblemType("insufficient-balance", 402, "Insufficient balance")
FORBIDDEN: Final = ProblemType("forbidden", 403, "Forbidden")
QUOTA_EXCEEDED: Final = ProblemType("quota-exceeded", 403, "Plan quota exceeded")
NOT_FOUND: Final = ProblemType("not-found", 404, "Not found")
METHOD_NOT_ALLOWED: Final = ProblemType("method-not-allowed", 405, "Method not allowed")
BODY_TIMEOUT: Final = ProblemType("body-timeout", 408, "Request body timeout")
CONFLICT: Final = ProblemType("conflict", 409, "Conflict with the current state")
PRECONDITION_FAILED: Final = ProblemType("precondition-failed", 412, "Precondition failed")
TOO_LARGE: Final = ProblemType("too-large", 413, "Request body too large")
URI_TOO_LONG: Final = ProblemType("uri-too-long", 414, "URI too long")
UNSUPPORTED_MEDIA_TYPE: Final = ProblemType("unsupported-media-type", 415, "Unsupported media type")
RANGE_NOT_SATISFIABLE: Final = ProblemType("range-not-satisfiable", 416, "Range not satisfiable")
INVALID: Final = ProblemType("invalid", 422, "Invalid request")
KEY_REUSED: Final = ProblemType("idempotency-key-reused", 422, "Idempotency key used by another request")
IMAGE_REJECTED: Final = ProblemType("image-rejected", 422, "Image rejected")
TOO_MANY_REQUESTS: Final = ProblemType("too-many-requests", 429, "Too many requests")
HEADER_FIELDS_TOO_LARGE: Final = ProblemType(
    "header-fields-too-large", 431, "Request header fields too large"
)
INTERNAL: Final = ProblemType("internal", 500, "Internal server error")
UNAVAILABLE: Final = ProblemType("unavailable", 503, "Service unavailable")
DEADLINE: Final = ProblemType("deadline-exceeded", 504, "Deadline exceeded")

PROBLEM_TYPES: Final = tuple(value for value in list(globals().values()) if isinstance(value, ProblemType))


class FieldError(msgspec.Struct, frozen=True):
    """One invalid member: ``at`` is a JSON path or the name of a parameter or header."""

    at: str
    detail: str


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error in the format of RFC 9457; ``request_id`` and ``errors`` are extension members."""

    type: str
    title: str
    status: int
    detail: str = ""
    request_id: str = ""
    errors: tuple[FieldError, ...] = ()


class Problem(Exception):  # noqa: N818 (the term of RFC 9457)
    """An error to be returned to the client as problem details."""

    def __init__(
        self,
        kind: ProblemType,
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
        """Return the response body. ``base`` is the public URL of the service."""
        return ProblemDetails(
            type=f"{base}/docs#{self.kind.slug}",
            title=self.kind.title,
            status=self.kind.status,
            detail=self.detail,
            request_id=request_id,
            errors=self.errors,
        )
