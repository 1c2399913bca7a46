"""What can be done with content.

MongoDB is the truth, the queue is only how the worker hears of it. A wish is durable once its document is
written; should the queue lose the job (or never have got it), :meth:`Contents.requeue` finds the document
still ``queued`` and hands it in again. The job's id is the content's, so handing in twice adds one job.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import msgspec
import structlog
from pymongo import ASCENDING, DESCENDING, IndexModel
from redis import RedisError
from redis.asyncio import Redis

from app import clock, metrics
from app.cache import Cache, Loaded
from app.connections import Database, Document
from app.content import grammar, picture
from app.content.schemas import Content, ContentPage, Generate, NewContent, PageQuery, State
from app.ids import new_id
from app.problems import NOT_FOUND, UNAVAILABLE, Problem
from app.queue import Queue, QueueFull
from app.queue.tasks import job
from app.storage import Bucket, ObjectMissing, StorageError

log = structlog.get_logger()

GENERATE: Final = "content.generate"
_SETTLED: Final = (300.0, 600.0)  # seconds fresh, then stale; the end of the job invalidates
_PENDING: Final = (5.0, 0.0)
_ABSENT: Final = (5.0, 0.0)
_FORGOTTEN_AFTER: Final = timedelta(seconds=10)
_REQUEUE_BATCH: Final = 500


class Kept(msgspec.Struct, frozen=True):
    """What the cache keeps of a piece of content: the owner decides who may see the rest."""

    owner: str
    content: Content


class Contents:
    """Content in MongoDB, pictures in the bucket, work in the queue, reads from the cache."""

    INDEXES = (
        IndexModel([("owner", ASCENDING), ("order", DESCENDING)], name="own"),
        IndexModel([("state", ASCENDING), ("queued_at", ASCENDING)], name="unfinished"),
    )

    def __init__(self, database: Database, cache: Cache[Kept | None], queue: Queue, bucket: Bucket) -> None:
        self._contents = database["contents"]
        self._cache = cache
        self._queue = queue
        self._bucket = bucket

    async def prepare(self) -> None:
        """Make the indexes that the queries below use."""
        await self._contents.create_indexes(list(self.INDEXES))

    async def create(self, owner: str, wish: NewContent) -> Content:
        """Write the wish down, then hand it to the worker."""
        now = clock.now()
        content_id = new_id()
        document: Document = {
            "_id": content_id,
            # Ids sort by time, and so do lists; not _id itself, because the wire server of one machine
            # refuses inserts under an index that has _id and another field.
            "order": content_id,
            "owner": owner,
            "state": State.QUEUED.value,
            "prompt": wish.prompt,
            "created_at": now,
            "queued_at": now,
        }
        await self._contents.insert_one(document)
        metrics.contents_created.inc()
        await self._hand_in([document])
        return _content(document)

    async def read(self, owner: str, content_id: str) -> Content:
        """A piece of content; another's is as absent as none."""
        kept = await self._cache.fetch(content_id, lambda: self._load(content_id))
        if kept is None or kept.owner != owner:
            raise Problem(NOT_FOUND, "No such content.")
        return kept.content

    async def list_own(self, owner: str, query: PageQuery) -> ContentPage:
        """Part of what an account has made, newest first."""
        where: Document = {"owner": owner}
        if query.cursor is not None:
            where["order"] = {"$lt": query.cursor}
        found = self._contents.find(where).sort("order", DESCENDING)
        documents = await found.limit(query.limit + 1).to_list()
        more = len(documents) > query.limit
        shown = documents[: query.limit]
        return ContentPage(
            items=[_content(document) for document in shown],
            next=shown[-1]["order"] if more else None,
        )

    async def image(self, owner: str, content_id: str) -> bytes:
        """The picture of a piece of content that is ready."""
        content = await self.read(owner, content_id)
        if content.image is None:
            raise Problem(NOT_FOUND, "There is no picture yet.")
        try:
            return await self._bucket.get(_image_name(content_id))
        except ObjectMissing as error:
            raise Problem(NOT_FOUND, "There is no picture.") from error
        except StorageError as error:
            raise Problem(
                UNAVAILABLE, "Pictures cannot be read just now.", headers={"retry-after": "2"}
            ) from error

    async def generate(self, task: Generate) -> None:
        """The job: make the text and the picture. However often it runs, one result stands."""
        document = await self._contents.find_one({"_id": task.id, "state": State.QUEUED.value})
        if document is None:
            return  # made already, by a run that could not say so any more
        text = grammar.generate(document["prompt"])
        image = await asyncio.to_thread(picture.draw, document["prompt"])
        await self._bucket.put(_image_name(task.id), image, media_type=picture.MEDIA_TYPE)
        change = {"state": State.READY.value, "text": text, "image": True, "finished_at": clock.now()}
        written = await self._contents.update_one(
            {"_id": task.id, "state": State.QUEUED.value}, {"$set": change}
        )
        if written.modified_count:
            metrics.contents_finished.labels(State.READY.value).inc()
        await self._cache.invalidate(task.id)

    async def requeue(self) -> int:
        """Hand in what has been queued for so long that its job may be lost; gives how many."""
        before = clock.now() - _FORGOTTEN_AFTER
        found = self._contents.find({"state": State.QUEUED.value, "queued_at": {"$lt": before}})
        documents = await found.sort("queued_at", ASCENDING).limit(_REQUEUE_BATCH).to_list()
        return await self._hand_in(documents)

    async def _hand_in(self, documents: list[Document]) -> int:
        if not documents:
            return 0
        jobs = [
            job(GENERATE, Generate(doc["_id"]), job_id=doc["_id"], owner=doc["owner"]) for doc in documents
        ]
        try:
            return sum(await self._queue.enqueue(*jobs))
        except (RedisError, QueueFull) as error:
            log.warning("not handed in yet", error=type(error).__name__, count=len(jobs))
            return 0

    async def _load(self, content_id: str) -> Loaded[Kept | None]:
        document = await self._contents.find_one({"_id": content_id})
        if document is None:
            return Loaded(None, *_ABSENT)
        kept = Kept(document["owner"], _content(document))
        return Loaded(kept, *(_PENDING if kept.content.state is State.QUEUED else _SETTLED))


def content_cache(redis: Redis) -> Cache[Kept | None]:
    """The cache of pieces of content by id."""
    decoder = msgspec.msgpack.Decoder(Kept | None)
    return Cache(redis, "contents", encode=msgspec.msgpack.Encoder().encode, decode=decoder.decode)


def _content(document: Document) -> Content:
    return Content(
        id=document["_id"],
        state=State(document["state"]),
        prompt=document["prompt"],
        created_at=document["created_at"],
        text=document.get("text"),
        image=f"/v1/contents/{document['_id']}/image" if document.get("image") else None,
    )


def _image_name(content_id: str) -> str:
    return f"contents/{content_id}.webp"
