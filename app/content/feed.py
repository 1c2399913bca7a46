"""The feed of published content.

The feed is read far more often than written, so its responses are cached
(:mod:`app.middleware.response_cache`). New items appear within about a second; withdrawn items disappear
immediately in every pod.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from pymongo import DESCENDING, IndexModel, ReturnDocument

from app import clock
from app.cache import Cache
from app.connections import Database, Document
from app.content.progress import Progress
from app.content.schemas import Author, Content, ContentState, FeedItem, FeedPage, Form
from app.content.service import IMAGE, CachedContent, Contents, describe
from app.database.indexes import create_indexes
from app.http import pagination
from app.http.pagination import PageQuery
from app.http.problems import CONFLICT, NOT_FOUND, Problem
from app.ids import new_id
from app.media.signed_urls import SignedUrls
from app.media.visibility import Visibility
from app.middleware.response_cache import CachedResponse
from app.telemetry import business_metrics

FEED: Final = "feed"  # tag of all cached responses that contain published content


class Feed:
    """Published content in MongoDB."""

    INDEXES = (IndexModel([("published.order", DESCENDING)], name="published", sparse=True),)

    def __init__(
        self,
        database: Database,
        contents: Contents,
        contents_cache: Cache[CachedContent | None],
        responses: Cache[CachedResponse],
        urls: SignedUrls,
        visibility: Visibility,
        progress: Progress,
    ) -> None:
        self._documents = database["contents"]
        self._accounts = database["accounts"]
        self._contents = contents
        self._cache = contents_cache
        self._responses = responses
        self._urls = urls
        self._visibility = visibility
        self._progress = progress

    async def prepare(self) -> None:
        """Create the index of the feed."""
        await create_indexes(self._documents, self.INDEXES)

    async def publish(self, owner: str, content_id: str) -> Content:
        """Publish a content item; idempotent. Raises :class:`Problem`: 404, and 409 unless its state is
        ``ready``.
        """
        account = await self._accounts.find_one({"_id": owner}, {"name": 1})
        author = account["name"] if account else ""
        published = {"order": new_id(), "at": clock.now(), "author": author}
        ready = {"_id": content_id, "owner": owner, "state": ContentState.READY.value, "published": None}
        async with (
            self._cache.writing(content_id),
            self._contents.results.writing(owner),
            self._visibility.writing(content_id),
        ):
            # Not decided from the cache: another pod may have withdrawn the item.
            changed = await self._documents.find_one_and_update(
                ready, {"$set": {"published": published}}, return_document=ReturnDocument.AFTER
            )
            document = changed or await self._documents.find_one({"_id": content_id, "owner": owner})
            if document is None:
                raise Problem(NOT_FOUND, "Content not found.")
            if document["state"] != ContentState.READY.value:
                raise Problem(CONFLICT, "Only content in state ready can be published.")
        if changed is not None:
            business_metrics.contents_published.inc()
        return describe(document)

    async def withdraw(self, owner: str, content_id: str) -> None:
        """Withdraw a content item from the feed; idempotent. Raises :class:`Problem` (404)."""
        async with self._withdrawing(owner, content_id):
            changed = await self._documents.update_one(
                {"_id": content_id, "owner": owner}, {"$unset": {"published": ""}}
            )
            if changed.matched_count == 0:
                raise Problem(NOT_FOUND, "Content not found.")

    async def withdraw_all(self, owner: str) -> int:
        """Withdraw all content of an account from the feed. Return the number of items."""
        where: Document = {"owner": owner, "published.order": {"$exists": True}}
        ids = [each["_id"] for each in await self._documents.find(where, {"_id": 1}).to_list()]
        if ids:
            async with self._withdrawing(owner, *ids):
                await self._documents.update_many(
                    {"_id": {"$in": ids}, "owner": owner}, {"$unset": {"published": ""}}
                )
        return len(ids)

    @asynccontextmanager
    async def _withdrawing(self, owner: str, *ids: str) -> AsyncIterator[None]:
        """Invalidate the cached forms of published items before and after the write that withdraws them."""
        async with (
            self._cache.writing(*ids),
            self._contents.results.writing(owner),
            self._responses.writing(FEED),
            self._visibility.writing(*ids),
        ):
            yield

    async def delete(self, owner: str, content_id: str) -> None:
        """Delete a content item and withdraw it if it is published. Raises :class:`Problem` (404)."""
        async with self._responses.writing(FEED):
            await self._contents.delete(owner, content_id)
        await self._progress.discard(content_id)

    async def delete_all(self, owner: str) -> int:
        """Delete all content of an account, published or not. Return the number of items."""
        async with self._responses.writing(FEED):
            return await self._contents.delete_all(owner)

    async def page(self, query: PageQuery) -> FeedPage:
        """Return a page of the feed, newest first."""
        before = query.before
        where: Document = {"published.order": {"$lt": before} if before else {"$exists": True}}
        found = self._documents.find(where).sort("published.order", DESCENDING)
        documents = await found.limit(query.limit + 1).to_list()
        page = documents[: query.limit]
        following = (
            pagination.encode(page[-1]["published"]["order"]) if len(documents) > query.limit else None
        )
        return FeedPage([self._item(document) for document in page], following)

    async def read(self, content_id: str) -> FeedItem:
        """Return a published content item. Raises :class:`Problem` (404)."""
        document = await self._documents.find_one({"_id": content_id})
        if document is None or not document.get("published"):
            raise Problem(NOT_FOUND, "Published content not found.")
        return self._item(document)

    def _item(self, document: Document) -> FeedItem:
        published = document["published"]
        return FeedItem(
            id=document["_id"],
            author=Author(document["owner"], published["author"]),
            form=Form(document["form"]),
            text=document["text"],
            image=self._urls.sign(document["_id"], IMAGE),
            published_at=published["at"],
        )
