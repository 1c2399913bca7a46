"""The media routes: private routes below ``/v1/uploads``, and cacheable delivery below ``/v1/media``."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from app.auth.roles import PLAN_QUOTAS, Plan
from app.http.pagination import PageQuery
from app.http.problems import (
    FORBIDDEN,
    IMAGE_REJECTED,
    QUOTA_EXCEEDED,
    RANGE_NOT_SATISFIABLE,
    UNSUPPORTED_MEDIA_TYPE,
    Problem,
)
from app.http.requests import Upload
from app.http.routing import Access, RequestContext, RequestHeader, Response, Routes, Stream
from app.http.text import END
from app.ids import Id
from app.media.delivery import ConditionalHeaders
from app.media.schemas import Media, MediaPage, SignedQuery
from app.media.service import UNDECLARED
from app.media.signed_urls import query_string
from app.media.sniffing import ImageFormat
from app.rate_limits.policies import RateLimitClass

uploads = Routes("/v1/uploads", tag="media")
media = Routes("/v1/media", tag="media")

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]{1,16}\.(webp|avif)" + END)]
_MEDIA_TYPES: Final = (*(kind.value for kind in ImageFormat), UNDECLARED)


@uploads.post(
    "",
    status=202,
    takes=_MEDIA_TYPES,
    problem_types=[QUOTA_EXCEEDED, IMAGE_REJECTED],
    response_headers=["Location"],
    rate_limit_class=RateLimitClass.UPLOAD,
    seconds=25.0,  # mobile devices on slow networks
)
async def upload(context: RequestContext, body: Upload) -> Response[Media]:
    """Upload an image.

    Variants in several widths are generated in the background: poll the URL in `Location` until the state is
    no longer `processing`. Uploading the same image again returns the existing media. Four uploads of an
    account may run at a time. A body over 26 MiB may be rejected before it reaches the service, with 403 and
    no problem details instead of 413.
    """
    declared = (context.header(b"content-type") or "").partition(";")[0].strip().lower()
    if declared not in _MEDIA_TYPES:
        raise Problem(UNSUPPORTED_MEDIA_TYPE, f"The Content-Type must be one of: {', '.join(_MEDIA_TYPES)}.")
    max_bytes = PLAN_QUOTAS[Plan(context.session.plan)].upload_bytes
    uploaded = await context.services.media.upload(context.session, declared, body.chunks(max_bytes))
    return Response(uploaded, headers=[(b"location", f"/v1/uploads/{uploaded.id}".encode())])


@uploads.get("")
async def list_own(context: RequestContext, query: PageQuery) -> MediaPage:
    """List the account's uploads, newest first."""
    return await context.services.media.list_own(context.session.account, query)


@uploads.get("/{media_id}")
async def read(context: RequestContext, media_id: Id) -> Media:
    """Get an upload with the signed URLs of its variants."""
    return await context.services.media.read(context.session.account, media_id)


@uploads.delete("/{media_id}", status=204)
async def delete(context: RequestContext, media_id: Id) -> None:
    """Delete an upload.

    Its signed URLs stop working immediately, copies in caches expire within five minutes, and its objects are
    removed from the storage.
    """
    await context.services.media.delete(context.session.account, media_id)


@media.get(
    "/{media_id}/{name}",
    access=Access.ANYONE,
    media_type="image/*",
    problem_types=[FORBIDDEN, RANGE_NOT_SATISFIABLE],
    headers=[
        RequestHeader("Range", "A single byte range."),
        RequestHeader("If-None-Match", "Entity tag of the cached copy."),
    ],
    response_headers=["ETag", "Cache-Control", "Accept-Ranges", "Content-Range"],
    other_statuses=[206, 304],
)
async def fetch(
    context: RequestContext, media_id: Id, name: Name, query: SignedQuery
) -> Response[Stream | None]:
    """Get an image by its signed URL, which must be used exactly as it was issued."""
    # Shared caches store a copy for each spelling.
    path = f"{media.prefix}/{media_id}/{name}".encode()
    if (
        context.scope["query_string"] != query_string(query.expires, query.signature).encode()
        or context.scope.get("raw_path", path) != path
    ):
        raise Problem(FORBIDDEN, "The signed URL is not spelled as it was issued.")
    conditions = ConditionalHeaders(
        context.header(b"range"), context.header(b"if-range"), context.header(b"if-none-match")
    )
    return await context.services.delivery.fetch(media_id, name, query.expires, query.signature, conditions)
