"""Uploaded images: originals in the bucket, metadata in MongoDB.

The original is stored before its document is written, and the upload is acknowledged after both. A crash in
between leaves an orphaned object that no document refers to. Uploads are idempotent per account: the same
bytes return the existing media.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from app import clock
from app.auth.roles import PLAN_QUOTAS, Plan
from app.auth.tokens import Session
from app.connections import Database, Document
from app.database.indexes import create_indexes
from app.http import pagination
from app.http.pagination import PageQuery
from app.http.problems import (
    IMAGE_REJECTED,
    NOT_FOUND,
    QUOTA_EXCEEDED,
    TOO_MANY_REQUESTS,
    UNAVAILABLE,
    UNSUPPORTED_MEDIA_TYPE,
    Problem,
)
from app.ids import new_id
from app.media.deletion import ORIGINAL, ObjectDeletions, delete_each
from app.media.schemas import MakeVariants, Media, MediaPage, MediaState, MediaVariant
from app.media.signed_urls import SignedUrls, object_name
from app.media.sniffing import ImageHeader, UnreadableHeader, read_header
from app.media.visibility import Visibility
from app.queue import Priority, Queue
from app.queue.sweep import enqueue_or_leave
from app.queue.tasks import job
from app.resilience import Bulkhead, BulkheadFull
from app.storage import Bucket, StorageError
from app.telemetry import context

# Sent by clients that cannot determine the type, and by generated clients; the bytes decide.
UNDECLARED: Final = "application/octet-stream"

MAKE_VARIANTS: Final = "media.variants"
_MEMORY_BYTES: Final = 1024 * 1024
_CHUNK_BYTES: Final = 64 * 1024
_MAX_PER_ACCOUNT: Final = 4  # concurrent uploads in one pod


class MediaLibrary:
    """Uploads of all accounts."""

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
        urls: SignedUrls,
        visibility: Visibility,
        deletions: ObjectDeletions,
    ) -> None:
        self._media = database["media"]
        self._bucket = bucket
        self._queue = queue
        self._urls = urls
        self._visibility = visibility
        self._deletions = deletions
        # Each upload buffers up to 1 MiB in memory and the rest in a file.
        self._uploads = Bulkhead("uploads", max_concurrent=16, max_waiting=16, max_wait_seconds=2.0)
        self._running: Counter[str] = Counter()  # by account

    async def prepare(self) -> None:
        """Create the indexes of the queries below."""
        await create_indexes(self._media, self.INDEXES)

    async def upload(self, session: Session, declared: str, chunks: AsyncIterator[bytes]) -> Media:
        """Store an image received in ``chunks`` and enqueue the job that generates its variants.

        ``declared`` is the media type from the request. Raises :class:`Problem`: 415 for an unknown format or
        one other than declared, 422 for an image that is damaged or over the limits, 403 over the plan's
        storage quota, 429 with too many concurrent uploads of the account, and 503 with too many of all
        accounts or while the storage is unavailable.
        """
        try:
            with self._counted(session.account):
                return await self._receive(session, declared, chunks)
        except BulkheadFull as full:
            raise Problem(
                UNAVAILABLE, "Too many concurrent uploads. Retry later.", headers={"retry-after": "2"}
            ) from full

    @contextmanager
    def _counted(self, account: str) -> Iterator[None]:
        """Count an upload of an account. Raises :class:`Problem` (429) over the limit.

        A body can arrive slowly until the deadline; one account must not occupy all uploads of the pod.
        """
        if self._running[account] >= _MAX_PER_ACCOUNT:
            detail = f"At most {_MAX_PER_ACCOUNT} uploads of an account may run at a time."
            raise Problem(TOO_MANY_REQUESTS, detail, headers={"retry-after": "2"})
        self._running[account] += 1
        try:
            yield
        finally:
            self._running[account] -= 1
            if not self._running[account]:
                del self._running[account]

    async def _receive(self, session: Session, declared: str, chunks: AsyncIterator[bytes]) -> Media:
        async with self._uploads.enter():
            with SpooledTemporaryFile(max_size=_MEMORY_BYTES) as file:
                digest = hashlib.sha256()
                async for chunk in chunks:
                    digest.update(chunk)
                    file.write(chunk)
                size = file.tell()
                header = _checked_header(file, declared)
                return await self._store(session, file, size, digest.hexdigest(), header)

    async def read(self, owner: str, media_id: str) -> Media:
        """Return an upload of the account. Raises :class:`Problem` (404)."""
        return self._describe(await self._find(owner, media_id))

    async def list_own(self, owner: str, query: PageQuery) -> MediaPage:
        """Return a page of the account's uploads, newest first."""
        where: Document = {"owner": owner}
        if before := query.before:
            where["order"] = {"$lt": before}
        found = self._media.find(where).sort("order", DESCENDING)
        documents = await found.limit(query.limit + 1).to_list()
        shown, following = pagination.cut(documents, query.limit)
        return MediaPage([self._describe(document) for document in shown], following)

    async def delete(self, owner: str, media_id: str) -> None:
        """Delete an upload and its objects; its signed URLs stop working immediately. Raises :class:`Problem`
        (404).
        """
        await self._find(owner, media_id)
        await self._deletions.record("media", media_id)
        async with self._visibility.writing(media_id):
            await self._media.delete_one({"_id": media_id, "owner": owner})
        await self._deletions.remove_now(media_id)

    async def delete_all(self, owner: str) -> int:
        """Delete all uploads of an account. Return their number."""
        ids = [each["_id"] for each in await self._media.find({"owner": owner}, {"_id": 1}).to_list()]
        await delete_each(ids, partial(self.delete, owner))
        return len(ids)

    async def _store(
        self,
        session: Session,
        file: SpooledTemporaryFile[bytes],
        size: int,
        digest: str,
        header: ImageHeader,
    ) -> Media:
        request = f"{session.account}:{digest}"
        if existing := await self._media.find_one({"request": request}):
            return self._describe(existing)
        quota = PLAN_QUOTAS[Plan(session.plan)].media_bytes
        if await self._used(session.account) + size > quota:
            raise Problem(QUOTA_EXCEEDED, f"The plan includes {quota} bytes of media.")
        now = clock.now()
        media_id = new_id()
        document: Document = {
            "_id": media_id,
            "order": media_id,
            "owner": session.account,
            "state": MediaState.PROCESSING.value,
            "media_type": header.kind.value,
            "size": size,
            "width": header.width,
            "height": header.height,
            "created_at": now,
            "queued_at": now.timestamp(),
            "request": request,
        }
        name = object_name(media_id, ORIGINAL)
        try:
            await self._bucket.put(name, _chunks(file), size=size, media_type=header.kind.value)
        except StorageError as error:
            retry = {"retry-after": "2"}
            raise Problem(
                UNAVAILABLE, "The image storage is unavailable. Retry later.", headers=retry
            ) from error
        try:
            await self._media.insert_one(document)
        except DuplicateKeyError:
            # A concurrent upload of the same image was faster.
            await self._bucket.delete(name)
            if (existing := await self._media.find_one({"request": request})) is None:
                raise
            return self._describe(existing)
        await self.enqueue([document])
        return self._describe(document)

    async def _used(self, owner: str) -> int:
        """Return the bytes stored by an account. Concurrent uploads are not included, so they can exceed the
        quota.
        """
        stages = [{"$match": {"owner": owner}}, {"$group": {"_id": "$owner", "bytes": {"$sum": "$size"}}}]
        found = await (await self._media.aggregate(stages)).to_list()
        return found[0]["bytes"] if found else 0

    async def _find(self, owner: str, media_id: str) -> Document:
        document = await self._media.find_one({"_id": media_id, "owner": owner})
        if document is None:
            raise Problem(NOT_FOUND, "Upload not found.")
        return document

    async def enqueue(self, documents: list[Document]) -> int:
        """Enqueue the jobs of these uploads, as :func:`app.queue.sweep.enqueue_or_leave` does."""
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
        return await enqueue_or_leave(self._queue, jobs)

    def _describe(self, document: Document) -> Media:
        variants = [
            MediaVariant(
                url=self._urls.sign(document["_id"], variant["name"]),
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
            variants=variants,
            reason=document.get("reason"),
        )


def _checked_header(file: SpooledTemporaryFile[bytes], declared: str) -> ImageHeader:
    try:
        header = read_header(file)
    except UnreadableHeader as unreadable:
        raise Problem(IMAGE_REJECTED, str(unreadable)) from unreadable
    if header is None:
        raise Problem(UNSUPPORTED_MEDIA_TYPE, "The body must be a PNG, JPEG, GIF, WebP or AVIF image.")
    if declared not in {header.kind, UNDECLARED}:
        raise Problem(
            UNSUPPORTED_MEDIA_TYPE, f"The body is {header.kind}, but the declared media type is {declared}."
        )
    if (reason := header.limit_exceeded) is not None:
        raise Problem(IMAGE_REJECTED, reason)
    return header


async def _chunks(file: SpooledTemporaryFile[bytes]) -> AsyncIterator[bytes]:
    file.seek(0)
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk
