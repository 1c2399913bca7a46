"""The content routes."""

from __future__ import annotations

from app.content.picture import MEDIA_TYPE
from app.content.schemas import Content, ContentPage, NewContent, PageQuery
from app.routing import Answer, Call, Raw, Routes

contents = Routes("/v1/contents", tag="contents")

# A picture never changes under its address; it is its owner's, so only the owner's device keeps it.
_FOREVER = (b"cache-control", b"private, max-age=31536000, immutable")


@contents.post("", status=202)
async def create(call: Call, body: NewContent) -> Answer[Content]:
    """Ask for a piece of content.

    It is made in the background: read it at its location until its state is no longer `queued`.
    """
    content = await call.services.contents.create(call.session.account, body)
    return Answer(content, headers=[(b"location", f"/v1/contents/{content.id}".encode())])


@contents.get("")
async def list_own(call: Call, query: PageQuery) -> ContentPage:
    """What the account has made, newest first."""
    return await call.services.contents.list_own(call.session.account, query)


@contents.get("/{content_id}")
async def read(call: Call, content_id: str) -> Content:
    """A piece of content."""
    return await call.services.contents.read(call.session.account, content_id)


@contents.get("/{content_id}/image", media_type=MEDIA_TYPE)
async def image(call: Call, content_id: str) -> Answer[Raw]:
    """The picture of a piece of content."""
    return Answer(
        Raw(await call.services.contents.image(call.session.account, content_id)), headers=[_FOREVER]
    )
