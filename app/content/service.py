"""Content of accounts: create, read, list, delete.

MongoDB is the source of truth; the queue only notifies workers. A request is durable once its document is
written. If the queue loses the job, :meth:`app.content.generation.ContentGeneration.requeue` finds the
document still ``queued`` and enqueues it again. The job ID is the content ID, so enqueuing twice adds one
job.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from functools import partial
from typing import Final

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError
from redis.asyncio import Redis

from app import clock
from app.auth.roles import PLAN_QUOTAS, Plan
from app.auth.tokens import Session
from app.cache import Cache, Loaded
from app.connections import Database, Document
from app.content.schemas import Content, ContentPage, ContentState, Form, Generate, NewContent
from app.database.indexes import create_indexes
from app.database.query_cache import QueryCache
from app.http import pagination
from app.http.idempotency import IdempotentRequest
from app.http.pagination import PageQuery
from app.http.problems import NOT_FOUND, QUOTA_EXCEEDED, UNAVAILABLE, Problem
from app.http.responses import JsonBody
from app.ids import new_id
from app.media.deletion import POSTER, ObjectDeletions, delete_each
from app.media.signed_urls import object_name
from app.media.visibility import Visibility
from app.queue import Priority, Queue
from app.queue.sweep import enqueue_or_leave
from app.queue.tasks import job
from app.storage import Bucket, ObjectMissing, StorageError
from app.telemetry import context, metrics

GENERATE: Final = "content.generate"
IMAGE: Final = POSTER
EXPIRES_AFTER: Final = timedelta(minutes=15)
_SETTLED: Final = (300.0, 600.0)  # seconds fresh and stale; the end of the job invalidates
_PENDING: Final = (5.0, 0.0)
_ABSENT: Final = (5.0, 0.0)
# Bytes of an entry besides its texts and its encoded body: objects, two times and headers. Measured.
_FIXED_BYTES: Final = 600
_PRIORITIES: Final = {
    Plan.FREE: Priority.LOW,
    Plan.CREATOR: Priority.NORMAL,
    Plan.STUDIO: Priority.HIGH,
}


class _Stored(msgspec.Struct, frozen=True):
    """Entry of a content item in Redis."""

    owner: str
    content: Content


class CachedContent:
    """Cache entry of a content item; the owner is needed to authorize reads. Its response is encoded once."""

    __slots__ = ("body", "content", "owner")

    def __init__(self, owner: str, content: Content) -> None:
        self.owner = owner
        self.content = content
        self.body = JsonBody(content)

    @property
    def size(self) -> int:
        """Bytes of the entry in memory."""
        content, body = self.content, self.body
        texts = (self.owner, content.id, content.prompt, content.text, content.image, content.reason)
        # msgspec allocates up to half more than it encodes, and does not release it.
        encoded_bytes = sys.getsizeof(body.payload) * 3 // 2
        return _FIXED_BYTES + encoded_bytes + sum(map(sys.getsizeof, texts))


class Contents:
    """Content in MongoDB, with images in the bucket, jobs in the queue and cached reads."""

    INDEXES = (
        IndexModel([("owner", ASCENDING), ("order", DESCENDING)], name="own"),
        IndexModel([("owner", ASCENDING), ("state", ASCENDING)], name="unfinished_of_one"),
        IndexModel([("state", ASCENDING), ("queued_at", ASCENDING)], name="unfinished"),
        IndexModel([("state", ASCENDING), ("created_at", ASCENDING)], name="unfinished_by_age"),
        IndexModel("request", unique=True, name="request"),
    )

    def __init__(
        self,
        database: Database,
        cache: Cache[CachedContent | None],
        queue: Queue,
        bucket: Bucket,
        redis: Redis,
        visibility: Visibility,
        deletions: ObjectDeletions,
    ) -> None:
        self._contents = database["contents"]
        self._cache = cache
        self._queue = queue
        self._bucket = bucket
        self._visibility = visibility
        self._deletions = deletions
        # Lists of an account's own content, invalidated by owner on every change.
        self.results: QueryCache[ContentPage] = QueryCache(redis, "own-contents", ContentPage, seconds=30.0)

    async def prepare(self) -> None:
        """Create the indexes of the queries below."""
        await create_indexes(self._contents, self.INDEXES)

    async def create(
        self, session: Session, body: NewContent, request: IdempotentRequest | None
    ) -> tuple[Content, bool]:
        """Persist the request, then enqueue it. Return the content and whether it already existed.

        Raises :class:`Problem`: 403 over the plan's limit of concurrent generations, 503 if the queue is
        full.
        """
        if request is not None and (existing := await self._contents.find_one({"request": request.name})):
            request.check(existing)
            return describe(existing), True
        plan = Plan(session.plan)
        limit = PLAN_QUOTAS[plan].unfinished
        unfinished = {"owner": session.account, "state": ContentState.QUEUED.value}
        # Not count_documents: its aggregation reads the whole collection on the wire server of a local stack.
        queued = self._contents.find(unfinished, {"_id": True}).limit(limit)
        if len(await queued.to_list()) >= limit:
            raise Problem(QUOTA_EXCEEDED, f"The plan allows {limit} concurrent generations.")
        if self._queue.full:
            headers = {"retry-after": "5"}
            raise Problem(UNAVAILABLE, "The generation queue is full. Retry later.", headers=headers)
        now = clock.now()
        content_id = new_id()
        document: Document = {
            "_id": content_id,
            # IDs sort by time. Not _id itself, because the wire server of a local stack rejects inserts under
            # a compound index with _id.
            "order": content_id,
            "owner": session.account,
            "plan": plan.value,
            "state": ContentState.QUEUED.value,
            "prompt": body.prompt,
            "form": body.form.value,
            "created_at": now,
            "queued_at": now.timestamp(),
            **({"request": content_id} if request is None else request.fields()),
        }
        try:
            async with self.results.writing(session.account):
                await self._contents.insert_one(document)
        except DuplicateKeyError:
            # A concurrent retry of the same request was faster.
            if (
                request is None
                or (existing := await self._contents.find_one({"request": request.name})) is None
            ):
                raise
            request.check(existing)
            return describe(existing), True
        metrics.contents_created.inc()
        await self.enqueue([document])
        return describe(document), False

    async def read(self, owner: str, content_id: str) -> Content:
        """Return the content item. Items owned by another account are reported as 404."""
        return _owned(await self._fetch(content_id), owner).content

    async def read_body(self, owner: str, content_id: str) -> JsonBody:
        """Like :meth:`read`, but return the response body of the content item."""
        entry = self._cache.fresh_entry(content_id)
        cached = await self._fetch(content_id) if entry is None else entry.value
        return _owned(cached, owner).body

    async def _fetch(self, content_id: str) -> CachedContent | None:
        return await self._cache.fetch(content_id, lambda: self._load(content_id))

    async def list_own(self, owner: str, query: PageQuery) -> ContentPage:
        """Return a page of the account's content, newest first."""
        before = query.before

        async def query_page() -> ContentPage:
            where: Document = {"owner": owner} | ({"order": {"$lt": before}} if before else {})
            found = self._contents.find(where).sort("order", DESCENDING)
            documents = await found.limit(query.limit + 1).to_list()
            page, following = pagination.cut(documents, query.limit)
            return ContentPage([describe(document) for document in page], following)

        return await self.results.fetch(owner, f"{query.limit} {before or ''}", query_page)

    async def image(self, owner: str, content_id: str) -> bytes:
        """Return the image of a content item. Raises :class:`Problem` (404, 503)."""
        content = await self.read(owner, content_id)
        if content.image is None:
            raise Problem(NOT_FOUND, "The image does not exist yet.")
        try:
            return await self._bucket.get(object_name(content_id, IMAGE))
        except ObjectMissing as error:
            raise Problem(NOT_FOUND, "The image does not exist.") from error
        except StorageError as error:
            raise Problem(
                UNAVAILABLE, "The image storage is unavailable. Retry later.", headers={"retry-after": "2"}
            ) from error

    async def delete(self, owner: str, content_id: str) -> None:
        """Delete a content item and its image, published or not. A running job for it has no effect. Raises
        :class:`Problem` (404).
        """
        own = {"_id": content_id, "owner": owner}
        if await self._contents.find_one(own, {"_id": 1}) is None:
            raise Problem(NOT_FOUND, "Content not found.")
        await self._deletions.record("contents", content_id)
        async with (
            self._cache.writing(content_id),
            self.results.writing(owner),
            self._visibility.writing(content_id),
        ):
            await self._contents.delete_one(own)
        await self._deletions.remove_now(content_id)

    async def delete_all(self, owner: str) -> int:
        """Delete all content of an account. Return the number of items."""
        ids = [each["_id"] for each in await self._contents.find({"owner": owner}, {"_id": 1}).to_list()]
        await delete_each(ids, partial(self.delete, owner))
        return len(ids)

    async def enqueue(self, documents: list[Document]) -> int:
        """Enqueue the jobs of these documents, as :func:`app.queue.sweep.enqueue_or_leave` does."""
        jobs = [
            job(
                GENERATE,
                Generate(document["_id"], context.trace()),
                job_id=document["_id"],
                owner=document["owner"],
                priority=_PRIORITIES[Plan(document["plan"])],
                timeout_seconds=EXPIRES_AFTER.total_seconds(),
            )
            for document in documents
        ]
        return await enqueue_or_leave(self._queue, jobs)

    async def _load(self, content_id: str) -> Loaded[CachedContent | None]:
        document = await self._contents.find_one({"_id": content_id})
        if document is None:
            return Loaded(None, *_ABSENT)
        cached = CachedContent(document["owner"], describe(document))
        return Loaded(cached, *(_PENDING if cached.content.state is ContentState.QUEUED else _SETTLED))


def content_cache(redis: Redis) -> Cache[CachedContent | None]:
    """Return the cache of content items by ID, which only their owners read."""
    decoder = msgspec.msgpack.Decoder(_Stored | None)
    encoder = msgspec.msgpack.Encoder()

    def encode(value: CachedContent | None) -> bytes:
        return encoder.encode(None if value is None else _Stored(value.owner, value.content))

    def decode(data: bytes) -> CachedContent | None:
        stored = decoder.decode(data)
        return None if stored is None else CachedContent(stored.owner, stored.content)

    return Cache(
        redis,
        "contents",
        encode=encode,
        decode=decode,
        broadcast=False,
        is_held=_is_settled,
        size=lambda value: 0 if value is None else value.size,
    )


def _owned(cached: CachedContent | None, owner: str) -> CachedContent:
    if cached is None or cached.owner != owner:
        raise Problem(NOT_FOUND, "Content not found.")
    return cached


def _is_settled(value: CachedContent | None) -> bool:
    """Return whether no event reports a change of the item.

    The event that reports the end of a generation can reach a client before the invalidation reaches a pod,
    so a queued item that a pod holds could be read after its end was reported.
    """
    return value is None or value.content.state is not ContentState.QUEUED


def describe(document: Document) -> Content:
    """Return the content item as shown to its owner."""
    published = document.get("published")
    return Content(
        id=document["_id"],
        state=ContentState(document["state"]),
        prompt=document["prompt"],
        form=Form(document["form"]),
        created_at=document["created_at"],
        text=document.get("text"),
        image=f"/v1/contents/{document['_id']}/image" if document.get("image") else None,
        reason=document.get("reason"),
        published_at=published["at"] if published else None,
    )
