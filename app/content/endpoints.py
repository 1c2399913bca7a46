"""The content routes."""

from __future__ import annotations

from typing import Final

from app.content.event_stream import LAST_EVENT_ID, follow
from app.content.feed import FEED
from app.content.poster import MEDIA_TYPE
from app.content.schemas import Content, ContentPage, FeedItem, FeedPage, NewContent
from app.http import idempotency
from app.http.idempotency import KEY, REPLAYED
from app.http.pagination import PageQuery
from app.http.problems import ALLOWANCE_USED, CONFLICT, INVALID, KEY_REUSED
from app.http.routing import Access, Answer, Call, Raw, Routes, Stream
from app.ids import Id
from app.middleware.response_cache import Kept
from app.rate_limits.policies import Class
from app.resilience.priority import Urgency
from app.telemetry import business_metrics

contents = Routes("/v1/contents", tag="contents")
feed = Routes("/v1/feed", tag="feed")

# A picture never changes under its address; it is its owner's, so only the owner's device keeps it.
_FOREVER: Final = (b"cache-control", b"private, max-age=31536000, immutable")
# Whoever stands between may keep a page for a moment, and longer while we cannot be reached.
_FOR_A_MOMENT: Final = (b"cache-control", b"public, max-age=1, stale-while-revalidate=10, stale-if-error=60")


@contents.post(
    "",
    status=202,
    kinds=[ALLOWANCE_USED, INVALID, KEY_REUSED],
    headers=[KEY],
    answer_headers=["Location", "Idempotency-Replayed"],
    urgency=Urgency.BULK,
    limits=Class.GENERATE,
)
async def create(call: Call, body: NewContent) -> Answer[Content]:
    """Ask for a piece of content.

    It is made in the background: follow its events, or read it at its location until its state is no longer
    `queued`.
    """
    request = idempotency.request(call, body)
    content, replayed = await call.services.contents.create(call.session, body, request)
    location = (b"location", f"/v1/contents/{content.id}".encode())
    return Answer(content, headers=[location, REPLAYED] if replayed else [location])


@contents.get("")
async def list_own(call: Call, query: PageQuery) -> ContentPage:
    """What the account has made, newest first."""
    return await call.services.contents.list_own(call.session.account, query)


@contents.get("/{content_id}", shared=True)
async def read(call: Call, content_id: Id) -> Content:
    """A piece of content."""
    return await call.services.contents.read(call.session.account, content_id)


@contents.delete("/{content_id}", status=204)
async def delete(call: Call, content_id: Id) -> None:
    """Delete a piece of content.

    It leaves the lists and the feed at once, copies of its image in caches expire within five minutes, and
    the image is removed from the storage.
    """
    await call.services.feed.delete(call.session.account, content_id)


@contents.get("/{content_id}/image", media_type=MEDIA_TYPE, answer_headers=["Cache-Control"])
async def image(call: Call, content_id: Id) -> Answer[Raw]:
    """The picture of a piece of content."""
    return Answer(
        Raw(await call.services.contents.image(call.session.account, content_id)), headers=[_FOREVER]
    )


@contents.get(
    "/{content_id}/events", media_type="text/event-stream", headers=[LAST_EVENT_ID], other_statuses=[204]
)
async def events(call: Call, content_id: Id) -> Answer[Stream | None]:
    """How the making of a piece goes, as server-sent events.

    `started` (anew, when it is tried again), `text` with a piece of the text, and at the end `ready` or
    `failed` with the content. A stream is closed after 25 seconds, or when its server leaves; come back with
    `Last-Event-ID` and it goes on where it stopped. 204 when there is nothing more to come.
    """
    return await follow(call, content_id)


@contents.put("/{content_id}/publication", kinds=[CONFLICT])
async def publish(call: Call, content_id: Id) -> Content:
    """Show a piece to everybody."""
    return await call.services.feed.publish(call.session.account, content_id)


@contents.delete("/{content_id}/publication", status=204)
async def withdraw(call: Call, content_id: Id) -> None:
    """Take a piece out of the feed again.

    Its image is no longer public; copies in caches expire within five minutes.
    """
    await call.services.feed.withdraw(call.session.account, content_id)


@feed.get(
    "",
    access=Access.ANYONE,
    shared=True,
    answer_headers=["Cache-Control"],
    kept=Kept(fresh=1.0, stale=30.0, names=(FEED,)),
)
async def browse(call: Call, query: PageQuery) -> Answer[FeedPage]:
    """What everybody has published, newest first."""
    return Answer(await call.services.feed.page(query), headers=[_FOR_A_MOMENT])


@feed.get(
    "/{content_id}",
    access=Access.ANYONE,
    shared=True,
    answer_headers=["Cache-Control"],
    kept=Kept(fresh=1.0, stale=30.0, names=(FEED,), given=business_metrics.contents_viewed.inc),
)
async def view(call: Call, content_id: Id) -> Answer[FeedItem]:
    """A published piece."""
    return Answer(await call.services.feed.read(content_id), headers=[_FOR_A_MOMENT])
