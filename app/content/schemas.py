"""Bodies of the content routes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"


class State(StrEnum):
    """How far a piece of content is."""

    QUEUED = "queued"
    READY = "ready"
    FAILED = "failed"


class NewContent(msgspec.Struct, forbid_unknown_fields=True):
    """What to make."""

    prompt: Annotated[str, Meta(min_length=1, max_length=500)]


class Content(msgspec.Struct):
    """A piece of content. ``text`` and ``image`` are there when it is ready."""

    id: str
    state: State
    prompt: str
    created_at: datetime
    text: str | None = None
    image: Annotated[str | None, Meta(description="Path of the picture.")] = None


class ContentPage(msgspec.Struct):
    """Part of a list, newest first. ``next`` is the cursor of the following part, if there is one."""

    items: list[Content]
    next: str | None = None


class PageQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which part of a list."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Annotated[str, Meta(pattern=UUID)] | None = None


class Generate(msgspec.Struct):
    """The job that makes a piece of content."""

    id: str
