"""Request and response bodies of the media routes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from app.http.text import END


class MediaState(StrEnum):
    """State of an upload: ``refused`` if the image was rejected, ``failed`` if processing failed."""

    PROCESSING = "processing"
    READY = "ready"
    REFUSED = "refused"
    FAILED = "failed"


class MediaVariant(msgspec.Struct):
    """A variant of an uploaded image. ``url`` is a signed path that is valid for at least an hour."""

    url: str
    media_type: str
    width: int
    height: int
    size: Annotated[int, Meta(description="Size in bytes.")]


class Media(msgspec.Struct):
    """An uploaded image. ``variants`` is empty until the state is ``ready``."""

    id: str
    state: MediaState
    media_type: str
    size: Annotated[int, Meta(description="Size in bytes.")]
    width: int
    height: int
    created_at: datetime
    variants: list[MediaVariant]
    reason: Annotated[str | None, Meta(description="Why the image was rejected or processing failed.")] = None


class MediaPage(msgspec.Struct):
    """A page of uploads, newest first. ``next`` is the cursor of the next page, absent on the last page."""

    items: list[Media]
    next: str | None = None


class SignedQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Query parameters of a signed URL: expiry (Unix time in seconds) and signature."""

    expires: Annotated[int, Meta(ge=0, le=99_999_999_999)]
    signature: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}" + END)]


class MakeVariants(msgspec.Struct):
    """Job payload: generate the variants of an upload. ``trace`` is the trace ID of the upload request."""

    id: str
    trace: str = ""
