"""Preconditions of changes (``If-Match``): a change is rejected if the resource was modified in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from app.http.problems import PRECONDITION_FAILED, Problem
from app.http.responses import encode, entity_tag
from app.http.routing import RequestHeader

if TYPE_CHECKING:
    from app.http.routing import RequestContext

IF_MATCH: Final = RequestHeader(
    "If-Match", "Entity tag of a previous read: the change is applied only if the resource is unmodified."
)


def condition(context: RequestContext) -> str | None:
    """Return the ``If-Match`` header of the request; ``None`` without one."""
    return context.header(b"if-match")


def check(condition: str | None, current: msgspec.Struct) -> None:
    """Raise :class:`Problem` (412) if ``current``, as a read would return it, does not match the condition.

    Tags are compared strongly (RFC 9110, section 13.1.1): a weak tag never matches.
    """
    if condition is None:
        return
    tags = [part.strip() for part in condition.split(",")]
    if tags != ["*"] and entity_tag(encode(current)) not in tags:
        raise precondition_failed()


def precondition_failed() -> Problem:
    """Return the problem (412) for a failed precondition."""
    return Problem(PRECONDITION_FAILED, "The resource was modified. Fetch it again and retry.")
