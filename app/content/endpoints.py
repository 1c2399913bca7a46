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
from app.http.problems import CONFLICT, INVALID, KEY_REUSED, QUOTA_EXCEEDED
from app.http.responses import JsonBody
from app.http.routing import Access, Raw, RequestContext, Response, Routes, Stream
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
    problem_types=[QUOTA_EXCEEDED, INVALID, KEY_REUSED],
    headers=[KEY],
    response_headers=["Location", "Idempotency-Replayed"],
    priority=RequestPriority.BULK,
    rate_limit_class=RateLimitClass.GENERATE,
)
async def create(context: RequestContext, body: NewContent) -> Response[Content]:
    """Request the generation of a content item.

    It is generated in the background: follow its events, or poll the URL in `Location` until its state is no
    longer `queued`.
    """
    request = idempotency.request(context, body)
    content, replayed = await context.services.contents.create(context.session, body, request)
    location = (b"location", f"/v1/contents/{content.id}".encode())
    return Response(content, headers=[location, REPLAYED] if replayed else [location])


@contents.get("")
async def list_own(context: RequestContext, query: PageQuery) -> ContentPage:
    """List the account's content, newest first."""
    return await context.services.contents.list_own(context.session.account, query)


@contents.get("/{content_id}", cached=True, encodes=Content)
async def read(context: RequestContext, content_id: Id) -> JsonBody:
    """Get a content item of the account."""
    return await context.services.contents.read_body(context.session.account, content_id)


@contents.delete("/{content_id}", status=204)
async def delete(context: RequestContext, content_id: Id) -> None:
    """Delete a content item.

    It is removed from the lists and the feed immediately, copies of its image in caches expire within five
    minutes, and the image is removed from the storage.
    """
    await context.services.feed.delete(context.session.account, content_id)


@contents.get("/{content_id}/image", media_type=MEDIA_TYPE, response_headers=["Cache-Control"])
async def image(context: RequestContext, content_id: Id) -> Response[Raw]:
    """Get the image of a content item."""
    return Response(
        Raw(await context.services.contents.image(context.session.account, content_id)), headers=[_IMMUTABLE]
    )


@contents.get(
    "/{content_id}/events", media_type="text/event-stream", headers=[LAST_EVENT_ID], other_statuses=[204]
)
async def events(context: RequestContext, content_id: Id) -> Response[Stream | None]:
    """Stream the generation progress of a content item as server-sent events.

    `started` (again on a retry), `text` with a fragment of the text, and finally `ready` or `failed` with the
    content item. A stream is closed after 25 seconds or when its server shuts down; reconnect with
    `Last-Event-ID` to resume. 204 if there are no more events.
    """
    return await follow(context, content_id)


@contents.put("/{content_id}/publication", problem_types=[CONFLICT])
async def publish(context: RequestContext, content_id: Id) -> Content:
    """Publish a content item to the feed."""
    return await context.services.feed.publish(context.session.account, content_id)


@contents.delete("/{content_id}/publication", status=204)
async def withdraw(context: RequestContext, content_id: Id) -> None:
    """Withdraw a content item from the feed.

    Its image is no longer public; copies in caches expire within five minutes.
    """
    await context.services.feed.withdraw(context.session.account, content_id)


@feed.get(
    "",
    access=Access.ANYONE,
    cached=True,
    response_headers=["Cache-Control"],
    cache_policy=CachePolicy(fresh=1.0, stale=30.0, names=(FEED,)),
)
async def browse(context: RequestContext, query: PageQuery) -> Response[FeedPage]:
    """List published content, newest first."""
    return Response(await context.services.feed.page(query), headers=[_SHORT_LIVED])


@feed.get(
    "/{content_id}",
    access=Access.ANYONE,
    cached=True,
    response_headers=["Cache-Control"],
    cache_policy=CachePolicy(
        fresh=1.0, stale=30.0, names=(FEED,), on_hit=business_metrics.contents_viewed.inc
    ),
)
async def view(context: RequestContext, content_id: Id) -> Response[FeedItem]:
    """Get a published content item."""
    return Response(await context.services.feed.read(content_id), headers=[_SHORT_LIVED])
