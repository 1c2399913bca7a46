"""What is published, for everybody.

The feed is read far more often than written, so its responses are cached
(:mod:`app.middleware.response_cache`). New items appear within about a second; withdrawn items disappear at
once, in every pod.
"""

from __future__ import annotations

from typing import Final

from pymongo import DESCENDING, IndexModel

from app import clock
from app.cache import Cache
from app.connections import Database, Document
from app.content.progress import Progress
from app.content.schemas import Author, Content, ContentState, FeedItem, FeedPage, Form
from app.content.service import IMAGE, Contents, Kept, describe
from app.database.indexes import create_indexes
from app.http import pagination
from app.http.pagination import PageQuery
from app.http.problems import CONFLICT, NOT_FOUND, Problem
from app.ids import new_id
from app.media.signed_urls import Links
from app.media.visibility import Visibility
from app.middleware.response_cache import CachedResponse
from app.telemetry import business_metrics

FEED: Final = "feed"  # the name of everything that shows what is published


class Feed:
    """Published content in MongoDB."""

    INDEXES = (IndexModel([("published.order", DESCENDING)], name="published", sparse=True),)

    def __init__(
        self,
        database: Database,
        contents: Contents,
        kept: Cache[Kept | None],
        answers: Cache[CachedResponse],
        links: Links,
        visibility: Visibility,
        progress: Progress,
    ) -> None:
        self._documents = database["contents"]
        self._accounts = database["accounts"]
        self._contents = contents
        self._kept = kept
        self._answers = answers
        self._links = links
        self._visibility = visibility
        self._progress = progress

    async def prepare(self) -> None:
        """Make the index of the feed."""
        await create_indexes(self._documents, self.INDEXES)

    async def publish(self, owner: str, content_id: str) -> Content:
        """Show a piece to everybody; ``conflict`` before it is ready. Again changes nothing."""
        content = await self._contents.read(owner, content_id)
        if content.published_at is not None:
            return content
        account = await self._accounts.find_one({"_id": owner}, {"name": 1})
        author = account["name"] if account else ""
        published = {"order": new_id(), "at": clock.now(), "author": author}
        ready = {"_id": content_id, "owner": owner, "state": ContentState.READY.value, "published": None}
        async with (
            self._kept.writing(content_id),
            self._contents.results.writing(owner),
            self._visibility.writing(content_id),
        ):
            changed = await self._documents.update_one(ready, {"$set": {"published": published}})
        document = await self._documents.find_one({"_id": content_id})
        if document is None or document["state"] != ContentState.READY.value:
            raise Problem(CONFLICT, "Only what is ready can be published.")
        if changed.modified_count:
            business_metrics.contents_published.inc()
        return describe(document)

    async def withdraw(self, owner: str, content_id: str) -> None:
        """Take a piece out of the feed. Again changes nothing."""
        async with (
            self._kept.writing(content_id),
            self._contents.results.writing(owner),
            self._answers.writing(FEED),
            self._visibility.writing(content_id),
        ):
            changed = await self._documents.update_one(
                {"_id": content_id, "owner": owner}, {"$unset": {"published": ""}}
            )
            if changed.matched_count == 0:
                raise Problem(NOT_FOUND, "No such content.")

    async def delete(self, owner: str, content_id: str) -> None:
        """Delete a piece, and take it out of the feed if it is published."""
        async with self._answers.writing(FEED):
            await self._contents.delete(owner, content_id)
        await self._progress.discard(content_id)

    async def delete_all(self, owner: str) -> int:
        """Delete everything that an account has made, published or not; how many pieces there were."""
        async with self._answers.writing(FEED):
            return await self._contents.delete_all(owner)

    async def page(self, query: PageQuery) -> FeedPage:
        """Part of the feed, newest first."""
        before = query.before
        where: Document = {"published.order": {"$lt": before} if before else {"$exists": True}}
        found = self._documents.find(where).sort("published.order", DESCENDING)
        documents = await found.limit(query.limit + 1).to_list()
        shown = documents[: query.limit]
        following = (
            pagination.encode(shown[-1]["published"]["order"]) if len(documents) > query.limit else None
        )
        return FeedPage([self._item(document) for document in shown], following)

    async def read(self, content_id: str) -> FeedItem:
        """A published piece."""
        document = await self._documents.find_one({"_id": content_id})
        if document is None or not document.get("published"):
            raise Problem(NOT_FOUND, "Nothing of that name is published.")
        return self._item(document)

    def _item(self, document: Document) -> FeedItem:
        published = document["published"]
        return FeedItem(
            id=document["_id"],
            author=Author(document["owner"], published["author"]),
            form=Form(document["form"]),
            text=document["text"],
            image=self._links.sign(document["_id"], IMAGE),
            published_at=published["at"],
        )
