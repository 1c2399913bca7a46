"""Request and response bodies of the content routes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from app.http import text


class ContentState(StrEnum):
    """Generation state of a content item."""

    QUEUED = "queued"
    READY = "ready"
    FAILED = "failed"


class Form(StrEnum):
    """Form of the generated text."""

    STORY = "story"
    CAPTION = "caption"
    VERSE = "verse"


class NewContent(msgspec.Struct, forbid_unknown_fields=True):
    """Request to generate content."""

    # Checked below, whose message is for users; the pattern documents the rule.
    prompt: Annotated[str, Meta(min_length=1, max_length=500, extra_json_schema={"pattern": text.PROSE})]
    form: Form = Form.STORY

    def __post_init__(self) -> None:
        self.prompt = text.prose(self.prompt)


class Content(msgspec.Struct):
    """A content item. ``text`` and ``image`` are set once the state is ``ready``."""

    id: str
    state: ContentState
    prompt: str
    form: Form
    created_at: datetime
    text: str | None = None
    image: Annotated[str | None, Meta(description="Path of the image.")] = None
    reason: Annotated[str | None, Meta(description="Why generation failed.")] = None
    published_at: datetime | None = None


class ContentPage(msgspec.Struct):
    """A page of content items, newest first. ``next`` is the cursor of the next page, absent on the last
    page.
    """

    items: list[Content]
    next: str | None = None


class Author(msgspec.Struct, frozen=True):
    """Author of published content."""

    id: str
    name: str


class FeedItem(msgspec.Struct, frozen=True):
    """A published content item. ``image`` is a signed path that is valid for at least an hour."""

    id: str
    author: Author
    form: Form
    text: str
    image: str
    published_at: datetime


class FeedPage(msgspec.Struct, frozen=True):
    """A page of the feed, newest first. ``next`` is the cursor of the next page, absent on the last page."""

    items: list[FeedItem]
    next: str | None = None


class Generate(msgspec.Struct):
    """Job payload: generate a content item. ``trace`` is the trace ID of the request."""

    id: str
    trace: str = ""
