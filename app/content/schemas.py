"""Bodies of the content routes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta


class ContentState(StrEnum):
    """How far a piece of content is."""

    QUEUED = "queued"
    READY = "ready"
    FAILED = "failed"


class Form(StrEnum):
    """What kind of text is wanted."""

    STORY = "story"
    CAPTION = "caption"
    VERSE = "verse"


class NewContent(msgspec.Struct, forbid_unknown_fields=True):
    """What to make."""

    prompt: Annotated[str, Meta(min_length=1, max_length=500)]
    form: Form = Form.STORY


class Content(msgspec.Struct):
    """A piece of content. ``text`` and ``image`` are there when it is ready."""

    id: str
    state: ContentState
    prompt: str
    form: Form
    created_at: datetime
    text: str | None = None
    image: Annotated[str | None, Meta(description="Path of the picture.")] = None
    reason: Annotated[str | None, Meta(description="Why it could not be made.")] = None
    published_at: datetime | None = None


class ContentPage(msgspec.Struct):
    """Part of a list, newest first. ``next`` is the cursor of the following part, if there is one."""

    items: list[Content]
    next: str | None = None


class Author(msgspec.Struct, frozen=True):
    """Who made something."""

    id: str
    name: str


class FeedItem(msgspec.Struct, frozen=True):
    """A published piece. ``image`` is a signed path, good for at least an hour."""

    id: str
    author: Author
    form: Form
    text: str
    image: str
    published_at: datetime


class FeedPage(msgspec.Struct, frozen=True):
    """Part of the feed, newest first."""

    items: list[FeedItem]
    next: str | None = None


class Generate(msgspec.Struct):
    """The job that makes a piece of content. ``trace``: of the request that asked for it."""

    id: str
    trace: str = ""
