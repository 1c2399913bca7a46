"""Pictures in the bucket, and what is known of them in MongoDB.

A picture is in the bucket before its document is written, and acknowledged after that: what is acknowledged
is there. A pod that dies in between leaves an object that nothing names. The same picture again, from the
same account, is the same media.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from tempfile import SpooledTemporaryFile
from typing import Final

import structlog
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from app import clock
from app.auth.roles import ALLOWANCES, Plan
from app.auth.tokens import Session
from app.connections import REDIS_GONE, Database, Document
from app.database.indexes import create_indexes
from app.http import pagination
from app.http.pagination import PageQuery
from app.http.problems import (
    ALLOWANCE_USED,
    NOT_FOUND,
    PICTURE_REFUSED,
    UNAVAILABLE,
    UNSUPPORTED_MEDIA_TYPE,
    Problem,
)
from app.ids import new_id
from app.media.deletion import ORIGINAL, ObjectDeletions
from app.media.schemas import MakeVariants, Media, MediaPage, MediaState, Picture
from app.media.signed_urls import Links, object_name
from app.media.sniffing import HEAD, Recognised, recognise
from app.media.visibility import Visibility
from app.queue import Priority, Queue, QueueFull
from app.queue.tasks import job
from app.resilience import Bulkhead, BulkheadFull
from app.storage import Bucket, StorageError
from app.telemetry import context

log = structlog.get_logger()

# The type of clients that do not know what they send, and of generated ones: the bytes tell.
UNDECLARED: Final = "application/octet-stream"

MAKE_VARIANTS: Final = "media.variants"
_IN_MEMORY: Final = 1024 * 1024
_PIECE: Final = 64 * 1024


class MediaLibrary:
    """What people upload."""

    INDEXES = (
        IndexModel([("owner", ASCENDING), ("order", DESCENDING)], name="own"),
        IndexModel([("state", ASCENDING), ("queued_at", ASCENDING)], name="unfinished"),
        IndexModel([("state", ASCENDING), ("created_at", ASCENDING)], name="unfinished_by_age"),
        IndexModel("request", unique=True, name="request"),
    )

    def __init__(
        self,
        database: Database,
        bucket: Bucket,
        queue: Queue,
        links: Links,
        visibility: Visibility,
        deletions: ObjectDeletions,
    ) -> None:
        self._media = database["media"]
        self._bucket = bucket
        self._queue = queue
        self._links = links
        self._visibility = visibility
        self._deletions = deletions
        # Each holds up to a megabyte in memory and the rest in a file.
        self._uploads = Bulkhead("uploads", calls=16, waiting=16, patience=2.0)

    async def prepare(self) -> None:
        """Make the indexes that the queries below use."""
        await create_indexes(self._media, self.INDEXES)

    async def upload(self, session: Session, declared: str, chunks: AsyncIterator[bytes]) -> Media:
        """Take a picture in, piece by piece."""
        try:
            async with self._uploads.enter():
                with SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
                    digest = hashlib.sha256()
                    async for chunk in chunks:
                        digest.update(chunk)
                        file.write(chunk)
                    size = file.tell()
                    file.seek(0)
                    picture = _recognised(file.read(HEAD), declared)
                    return await self._keep(session, file, size, digest.hexdigest(), picture)
        except BulkheadFull as full:
            raise Problem(UNAVAILABLE, "Too many are uploading.", headers={"retry-after": "2"}) from full

    async def read(self, owner: str, media_id: str) -> Media:
        """A picture of the account's."""
        return self._describe(await self._find(owner, media_id))

    async def list_own(self, owner: str, query: PageQuery) -> MediaPage:
        """Part of what an account has uploaded, newest first."""
        where: Document = {"owner": owner}
        if before := query.before:
            where["order"] = {"$lt": before}
        found = self._media.find(where).sort("order", DESCENDING)
        documents = await found.limit(query.limit + 1).to_list()
        shown, following = pagination.cut(documents, query.limit)
        return MediaPage([self._describe(document) for document in shown], following)

    async def delete(self, owner: str, media_id: str) -> None:
        """Delete an upload and its objects; its signed URLs stop working at once."""
        await self._find(owner, media_id)
        await self._deletions.record("media", media_id)
        async with self._visibility.writing(media_id):
            await self._media.delete_one({"_id": media_id, "owner": owner})
        await self._deletions.remove_now(media_id)

    async def delete_all(self, owner: str) -> int:
        """Delete every upload of an account; how many there were."""
        ids = [each["_id"] for each in await self._media.find({"owner": owner}, {"_id": 1}).to_list()]
        for media_id in ids:
            await self.delete(owner, media_id)
        return len(ids)

    async def _keep(
        self,
        session: Session,
        file: SpooledTemporaryFile[bytes],
        size: int,
        digest: str,
        picture: Recognised,
    ) -> Media:
        request = f"{session.account}:{digest}"
        if made := await self._media.find_one({"request": request}):
            return self._describe(made)
        most = ALLOWANCES[Plan(session.plan)].media_bytes
        if await self._used(session.account) + size > most:
            raise Problem(ALLOWANCE_USED, f"The plan includes {most} bytes of pictures.")
        now = clock.now()
        media_id = new_id()
        document: Document = {
            "_id": media_id,
            "order": media_id,
            "owner": session.account,
            "state": MediaState.PROCESSING.value,
            "media_type": picture.kind.value,
            "size": size,
            "width": picture.width,
            "height": picture.height,
            "created_at": now,
            "queued_at": now.timestamp(),
            "request": request,
        }
        name = object_name(media_id, ORIGINAL)
        try:
            await self._bucket.put(name, _pieces(file), size=size, media_type=picture.kind.value)
        except StorageError as error:
            again = {"retry-after": "2"}
            raise Problem(UNAVAILABLE, "Pictures cannot be kept just now.", headers=again) from error
        try:
            await self._media.insert_one(document)
        except DuplicateKeyError:
            # The same picture came twice at once, and the other was quicker.
            await self._bucket.delete(name)
            if (made := await self._media.find_one({"request": request})) is None:
                raise
            return self._describe(made)
        await self.enqueue([document])
        return self._describe(document)

    async def _used(self, owner: str) -> int:
        """Bytes of an account. What arrives at the same time is not in it: the bound is that much soft."""
        stages = [{"$match": {"owner": owner}}, {"$group": {"_id": "$owner", "bytes": {"$sum": "$size"}}}]
        found = await (await self._media.aggregate(stages)).to_list()
        return found[0]["bytes"] if found else 0

    async def _find(self, owner: str, media_id: str) -> Document:
        document = await self._media.find_one({"_id": media_id, "owner": owner})
        if document is None:
            raise Problem(NOT_FOUND, "No such picture.")
        return document

    async def enqueue(self, documents: list[Document]) -> int:
        """Enqueue the jobs of these uploads; the number of jobs that were not queued yet.

        Redis being unavailable is not an error: the sweep enqueues what is missing.
        """
        jobs = [
            job(
                MAKE_VARIANTS,
                MakeVariants(document["_id"], context.trace()),
                job_id=document["_id"],
                owner=document["owner"],
                priority=Priority.LOW,
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

    def _describe(self, document: Document) -> Media:
        pictures = [
            Picture(
                url=self._links.sign(document["_id"], variant["name"]),
                media_type=f"image/{variant['name'].rpartition('.')[2]}",
                width=variant["width"],
                height=variant["height"],
                size=variant["size"],
            )
            for variant in document.get("variants", [])
        ]
        return Media(
            id=document["_id"],
            state=MediaState(document["state"]),
            media_type=document["media_type"],
            size=document["size"],
            width=document["width"],
            height=document["height"],
            created_at=document["created_at"],
            pictures=pictures,
            reason=document.get("reason"),
        )


def _recognised(head: bytes, declared: str) -> Recognised:
    picture = recognise(head)
    if picture is None:
        raise Problem(UNSUPPORTED_MEDIA_TYPE, "The body is no picture in PNG, JPEG, GIF, WebP or AVIF.")
    if declared not in {picture.kind, UNDECLARED}:
        raise Problem(UNSUPPORTED_MEDIA_TYPE, f"The body is {picture.kind}, which is not what its type says.")
    if (reason := picture.excess) is not None:
        raise Problem(PICTURE_REFUSED, reason)
    return picture


async def _pieces(file: SpooledTemporaryFile[bytes]) -> AsyncIterator[bytes]:
    file.seek(0)
    while piece := file.read(_PIECE):
        yield piece
