"""What an account can do with its content.

MongoDB is the source of truth; the queue only notifies workers. A request is durable once its document is
written. If the queue loses the job, :meth:`app.content.generation.Making.requeue` finds the document still
``queued`` and enqueues it again. The job ID is the content ID, so enqueuing twice adds one job.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec
import structlog
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError
from redis.asyncio import Redis

from app import clock
from app.auth.roles import ALLOWANCES, Plan
from app.auth.tokens import Session
from app.cache import Cache, Loaded
from app.connections import REDIS_GONE, Database, Document
from app.content.schemas import Content, ContentPage, ContentState, Form, Generate, NewContent
from app.database.indexes import create_indexes
from app.database.query_cache import Results
from app.http import pagination
from app.http.idempotency import Request
from app.http.pagination import PageQuery
from app.http.problems import ALLOWANCE_USED, NOT_FOUND, UNAVAILABLE, Problem
from app.ids import new_id
from app.media.deletion import POSTER, ObjectDeletions
from app.media.signed_urls import object_name
from app.media.visibility import Visibility
from app.queue import Priority, Queue, QueueFull
from app.queue.tasks import job
from app.storage import Bucket, ObjectMissing, StorageError
from app.telemetry import context, metrics

log = structlog.get_logger()

GENERATE: Final = "content.generate"
IMAGE: Final = POSTER
GIVEN_UP_AFTER: Final = timedelta(minutes=15)
_SETTLED: Final = (300.0, 600.0)  # seconds fresh, then stale; the end of the job invalidates
_PENDING: Final = (5.0, 0.0)
_ABSENT: Final = (5.0, 0.0)
_PRIORITIES: Final = {
    Plan.FREE: Priority.LOW,
    Plan.CREATOR: Priority.NORMAL,
    Plan.STUDIO: Priority.HIGH,
}


class Kept(msgspec.Struct, frozen=True):
    """What the cache keeps of a piece of content: the owner decides who may see the rest."""

    owner: str
    content: Content


class Contents:
    """Content in MongoDB, pictures in the bucket, work in the queue, reads from the cache."""

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
        cache: Cache[Kept | None],
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
        # Lists of an account's own pieces; whoever changes one says so with its owner.
        self.results: Results[ContentPage] = Results(redis, "own-contents", ContentPage, seconds=30.0)

    async def prepare(self) -> None:
        """Make the indexes that the queries below use."""
        await create_indexes(self._contents, self.INDEXES)

    async def create(
        self, session: Session, wish: NewContent, request: Request | None
    ) -> tuple[Content, bool]:
        """Write the wish down, then hand it to the worker; ``True`` when it had been written down before."""
        if request is not None and (made := await self._contents.find_one({"request": request.name})):
            request.check(made)
            return describe(made), True
        plan = Plan(session.plan)
        most = ALLOWANCES[plan].unfinished
        waiting = {"owner": session.account, "state": ContentState.QUEUED.value}
        if await self._contents.count_documents(waiting, limit=most) >= most:
            raise Problem(ALLOWANCE_USED, f"{most} pieces are being made already; the plan has no more.")
        if self._queue.full:
            after = {"retry-after": "5"}
            raise Problem(UNAVAILABLE, "As much waits to be made as may; try again.", headers=after)
        now = clock.now()
        content_id = new_id()
        document: Document = {
            "_id": content_id,
            # Ids sort by time, and so do lists; not _id itself, because the wire server of one machine
            # refuses inserts under an index that has _id and another field.
            "order": content_id,
            "owner": session.account,
            "plan": plan.value,
            "state": ContentState.QUEUED.value,
            "prompt": wish.prompt,
            "form": wish.form.value,
            "created_at": now,
            "queued_at": now.timestamp(),
            **({"request": content_id} if request is None else request.fields()),
        }
        try:
            async with self.results.writing(session.account):
                await self._contents.insert_one(document)
        except DuplicateKeyError:
            # The same request came twice at once, and the other was quicker.
            if request is None or (made := await self._contents.find_one({"request": request.name})) is None:
                raise
            request.check(made)
            return describe(made), True
        metrics.contents_created.inc()
        await self.hand_in([document])
        return describe(document), False

    async def read(self, owner: str, content_id: str) -> Content:
        """A piece of content; another's is as absent as none."""
        kept = await self._cache.fetch(content_id, lambda: self._load(content_id))
        if kept is None or kept.owner != owner:
            raise Problem(NOT_FOUND, "No such content.")
        return kept.content

    async def list_own(self, owner: str, query: PageQuery) -> ContentPage:
        """Part of what an account has made, newest first."""
        before = query.before

        async def ask() -> ContentPage:
            where: Document = {"owner": owner} | ({"order": {"$lt": before}} if before else {})
            found = self._contents.find(where).sort("order", DESCENDING)
            documents = await found.limit(query.limit + 1).to_list()
            shown, following = pagination.cut(documents, query.limit)
            return ContentPage([describe(document) for document in shown], following)

        return await self.results.fetch(owner, f"{query.limit} {before or ''}", ask)

    async def image(self, owner: str, content_id: str) -> bytes:
        """The picture of a piece of content that is ready."""
        content = await self.read(owner, content_id)
        if content.image is None:
            raise Problem(NOT_FOUND, "There is no picture yet.")
        try:
            return await self._bucket.get(object_name(content_id, IMAGE))
        except ObjectMissing as error:
            raise Problem(NOT_FOUND, "There is no picture.") from error
        except StorageError as error:
            raise Problem(
                UNAVAILABLE, "Pictures cannot be read just now.", headers={"retry-after": "2"}
            ) from error

    async def delete(self, owner: str, content_id: str) -> None:
        """Delete a piece of content and its image, published or not; a job that makes it comes to nothing."""
        own = {"_id": content_id, "owner": owner}
        if await self._contents.find_one(own, {"_id": 1}) is None:
            raise Problem(NOT_FOUND, "No such content.")
        await self._deletions.record("contents", content_id)
        async with (
            self._cache.writing(content_id),
            self.results.writing(owner),
            self._visibility.writing(content_id),
        ):
            await self._contents.delete_one(own)
        await self._deletions.remove_now(content_id)

    async def delete_all(self, owner: str) -> int:
        """Delete everything that an account has made; how many pieces there were."""
        ids = [each["_id"] for each in await self._contents.find({"owner": owner}, {"_id": 1}).to_list()]
        for content_id in ids:
            await self.delete(owner, content_id)
        return len(ids)

    async def hand_in(self, documents: list[Document]) -> int:
        """Give the worker what is written down; how many it did not have yet. Never raises for Redis."""
        jobs = [
            job(
                GENERATE,
                Generate(document["_id"], context.trace()),
                job_id=document["_id"],
                owner=document["owner"],
                priority=_PRIORITIES[Plan(document["plan"])],
                within=GIVEN_UP_AFTER.total_seconds(),
            )
            for document in documents
        ]
        if not jobs:
            return 0
        try:
            return sum(await self._queue.enqueue(*jobs))
        except (*REDIS_GONE, QueueFull) as error:
            log.warning("jobs not enqueued yet", error=type(error).__name__, count=len(jobs))
            return 0

    async def _load(self, content_id: str) -> Loaded[Kept | None]:
        document = await self._contents.find_one({"_id": content_id})
        if document is None:
            return Loaded(None, *_ABSENT)
        kept = Kept(document["owner"], describe(document))
        return Loaded(kept, *(_PENDING if kept.content.state is ContentState.QUEUED else _SETTLED))


def content_cache(redis: Redis) -> Cache[Kept | None]:
    """The cache of pieces of content by id."""
    decoder = msgspec.msgpack.Decoder(Kept | None)
    return Cache(redis, "contents", encode=msgspec.msgpack.Encoder().encode, decode=decoder.decode)


def describe(document: Document) -> Content:
    """A piece of content, as its owner sees it."""
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
