"""The content routes and the public feed."""

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
from app.middleware.response_cache import CachePolicy
from app.rate_limits.policies import RateLimitClass
from app.resilience.priority import RequestPriority
from app.telemetry import business_metrics

contents = Routes("/v1/contents", tag="contents")
feed = Routes("/v1/feed", tag="feed")

# The image at a URL never changes. It is private to its owner, so only the owner's device may cache it.
_IMMUTABLE: Final = (b"cache-control", b"private, max-age=31536000, immutable")
# Shared caches may store a page briefly, and longer while the service is unavailable.
_SHORT_LIVED: Final = (b"cache-control", b"public, max-age=1, stale-while-revalidate=10, stale-if-error=60")


@contents.post(
    "",
    status=202,
    kinds=[ALLOWANCE_USED, INVALID, KEY_REUSED],
    headers=[KEY],
    answer_headers=["Location", "Idempotency-Replayed"],
    priority=RequestPriority.BULK,
    limits=RateLimitClass.GENERATE,
)
async def create(call: Call, body: NewContent) -> Answer[Content]:
    """Request the generation of a content item.

    It is generated in the background: follow its events, or poll the URL in `Location` until its state is no
    longer `queued`.
    """
    request = idempotency.request(call, body)
    content, replayed = await call.services.contents.create(call.session, body, request)
    location = (b"location", f"/v1/contents/{content.id}".encode())
    return Answer(content, headers=[location, REPLAYED] if replayed else [location])


@contents.get("")
async def list_own(call: Call, query: PageQuery) -> ContentPage:
    """List the account's content, newest first."""
    return await call.services.contents.list_own(call.session.account, query)


@contents.get("/{content_id}", shared=True)
async def read(call: Call, content_id: Id) -> Content:
    """Get a content item of the account."""
    return await call.services.contents.read(call.session.account, content_id)


@contents.delete("/{content_id}", status=204)
async def delete(call: Call, content_id: Id) -> None:
    """Delete a content item.

    It is removed from the lists and the feed immediately, copies of its image in caches expire within five
    minutes, and the image is removed from the storage.
    """
    await call.services.feed.delete(call.session.account, content_id)


@contents.get("/{content_id}/image", media_type=MEDIA_TYPE, answer_headers=["Cache-Control"])
async def image(call: Call, content_id: Id) -> Answer[Raw]:
    """Get the image of a content item."""
    return Answer(
        Raw(await call.services.contents.image(call.session.account, content_id)), headers=[_IMMUTABLE]
    )


@contents.get(
    "/{content_id}/events", media_type="text/event-stream", headers=[LAST_EVENT_ID], other_statuses=[204]
)
async def events(call: Call, content_id: Id) -> Answer[Stream | None]:
    """Stream the generation progress of a content item as server-sent events.

    `started` (again on a retry), `text` with a fragment of the text, and finally `ready` or `failed` with the
    content item. A stream is closed after 25 seconds or when its server shuts down; reconnect with
    `Last-Event-ID` to resume. 204 if there are no more events.
    """
    return await follow(call, content_id)


@contents.put("/{content_id}/publication", kinds=[CONFLICT])
async def publish(call: Call, content_id: Id) -> Content:
    """Publish a content item to the feed."""
    return await call.services.feed.publish(call.session.account, content_id)


@contents.delete("/{content_id}/publication", status=204)
async def withdraw(call: Call, content_id: Id) -> None:
    """Withdraw a content item from the feed.

    Its image is no longer public; copies in caches expire within five minutes.
    """
    await call.services.feed.withdraw(call.session.account, content_id)


@feed.get(
    "",
    access=Access.ANYONE,
    shared=True,
    answer_headers=["Cache-Control"],
    kept=CachePolicy(fresh=1.0, stale=30.0, names=(FEED,)),
)
async def browse(call: Call, query: PageQuery) -> Answer[FeedPage]:
    """List published content, newest first."""
    return Answer(await call.services.feed.page(query), headers=[_SHORT_LIVED])


@feed.get(
    "/{content_id}",
    access=Access.ANYONE,
    shared=True,
    answer_headers=["Cache-Control"],
    kept=CachePolicy(fresh=1.0, stale=30.0, names=(FEED,), on_hit=business_metrics.contents_viewed.inc),
)
async def view(call: Call, content_id: Id) -> Answer[FeedItem]:
    """Get a published content item."""
    return Answer(await call.services.feed.read(content_id), headers=[_SHORT_LIVED])
