"""The media routes. What is private stands below ``/v1/uploads``; ``/v1/media`` is for caches to keep."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from app.auth.roles import ALLOWANCES, Plan
from app.http.pagination import PageQuery
from app.http.problems import (
    ALLOWANCE_USED,
    FORBIDDEN,
    PICTURE_REFUSED,
    RANGE_NOT_SATISFIABLE,
    UNSUPPORTED_MEDIA_TYPE,
    Problem,
)
from app.http.requests import Upload
from app.http.routing import Access, Answer, Call, RequestHeader, Routes, Stream
from app.http.text import END
from app.ids import Id
from app.media.delivery import Wish
from app.media.schemas import Media, MediaPage, SignedQuery
from app.media.service import UNDECLARED
from app.media.sniffing import Kind

uploads = Routes("/v1/uploads", tag="media")
media = Routes("/v1/media", tag="media")

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]{1,16}\.(webp|avif)" + END)]
_KINDS: Final = (*(kind.value for kind in Kind), UNDECLARED)


@uploads.post(
    "",
    status=202,
    takes=_KINDS,
    kinds=[ALLOWANCE_USED, PICTURE_REFUSED],
    answer_headers=["Location"],
    seconds=25.0,  # phones on slow networks
)
async def upload(call: Call, body: Upload) -> Answer[Media]:
    """Upload a picture.

    Its small variants are made in the background: read it at its location until it is no longer `processing`.
    The same picture again gives the same media.
    """
    declared = (call.header(b"content-type") or "").partition(";")[0].strip().lower()
    if declared not in _KINDS:
        raise Problem(UNSUPPORTED_MEDIA_TYPE, f"Send one of {', '.join(_KINDS)}.")
    largest = ALLOWANCES[Plan(call.session.plan)].upload_bytes
    made = await call.services.media.upload(call.session, declared, body.chunks(largest))
    return Answer(made, headers=[(b"location", f"/v1/uploads/{made.id}".encode())])


@uploads.get("")
async def list_own(call: Call, query: PageQuery) -> MediaPage:
    """What the account has uploaded, newest first."""
    return await call.services.media.list_own(call.session.account, query)


@uploads.get("/{media_id}")
async def read(call: Call, media_id: Id) -> Media:
    """A picture, with addresses of its variants."""
    return await call.services.media.read(call.session.account, media_id)


@uploads.delete("/{media_id}", status=204)
async def delete(call: Call, media_id: Id) -> None:
    """Delete an upload.

    Its signed URLs stop working at once, copies in caches expire within five minutes, and its objects are
    removed from the storage.
    """
    await call.services.media.delete(call.session.account, media_id)


@media.get(
    "/{media_id}/{name}",
    access=Access.ANYONE,
    media_type="image/*",
    kinds=[FORBIDDEN, RANGE_NOT_SATISFIABLE],
    headers=[
        RequestHeader("Range", "One range of bytes."),
        RequestHeader("If-None-Match", "The entity tag of what the client has."),
    ],
    answer_headers=["ETag", "Cache-Control", "Accept-Ranges", "Content-Range"],
    other_statuses=[206, 304],
)
async def fetch(call: Call, media_id: Id, name: Name, query: SignedQuery) -> Answer[Stream | None]:
    """The bytes of a picture, for whoever has its signed address."""
    wish = Wish(call.header(b"range"), call.header(b"if-range"), call.header(b"if-none-match"))
    return await call.services.delivery.fetch(media_id, name, query.expires, query.signature, wish)
