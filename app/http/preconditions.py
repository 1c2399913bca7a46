"""Changes that are meant for one state of a thing, and refused when another change was quicker (If-Match)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from app.http.problems import CHANGED_SINCE, Problem
from app.http.responses import encode, entity_tag
from app.http.routing import RequestHeader

if TYPE_CHECKING:
    from app.http.routing import Call

IF_MATCH: Final = RequestHeader(
    "If-Match", "The entity tag that a read of it gave: the change is made to that state or not at all."
)


def condition(call: Call) -> str | None:
    """What the request's ``If-Match`` says; ``None`` when it has none."""
    return call.header(b"if-match")


def check(condition: str | None, current: msgspec.Struct) -> None:
    """That the condition holds for what a read would answer now; :class:`Problem` (412) when it does not.
    Tags are compared strongly (RFC 9110, section 13.1.1): a weak one never matches.
    """
    if condition is None:
        return
    tags = [part.strip() for part in condition.split(",")]
    if tags != ["*"] and entity_tag(encode(current)) not in tags:
        raise changed_since()


def changed_since() -> Problem:
    """The answer to whoever was too slow."""
    return Problem(CHANGED_SINCE, "Read it again, and decide again.")
