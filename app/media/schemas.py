"""Bodies of the media routes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from app.http.text import END


class MediaState(StrEnum):
    """MediaState of an upload: ``refused`` when the image is at fault, ``failed`` when the service is."""

    PROCESSING = "processing"
    READY = "ready"
    REFUSED = "refused"
    FAILED = "failed"


class Picture(msgspec.Struct):
    """A variant of a picture. ``url`` is a signed path, good for at least an hour."""

    url: str
    media_type: str
    width: int
    height: int
    size: Annotated[int, Meta(description="In bytes.")]


class Media(msgspec.Struct):
    """A picture that was uploaded. ``pictures`` are there when it is ready."""

    id: str
    state: MediaState
    media_type: str
    size: Annotated[int, Meta(description="In bytes.")]
    width: int
    height: int
    created_at: datetime
    pictures: list[Picture]
    reason: Annotated[str | None, Meta(description="Why it was refused or has failed.")] = None


class MediaPage(msgspec.Struct):
    """Part of a list, newest first. ``next`` is the cursor of the following part, if there is one."""

    items: list[Media]
    next: str | None = None


class SignedQuery(msgspec.Struct, forbid_unknown_fields=True):
    """What makes an address good."""

    expires: Annotated[int, Meta(ge=0, le=99_999_999_999)]
    signature: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}" + END)]


class MakeVariants(msgspec.Struct):
    """The job that makes the variants of a picture. ``trace``: of the request that asked for it."""

    id: str
    trace: str = ""
