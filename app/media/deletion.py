"""Removal of the stored objects of deleted contents and uploads.

The deletion is recorded before the document is deleted, so that neither a crash nor a storage outage leaves
orphaned objects. Objects are removed immediately if possible, and again after :data:`LATE_WRITES`, because a
job that was running during the deletion may store its result after the first removal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

import structlog
from pymongo import ASCENDING, IndexModel

from app import clock
from app.connections import Database, Document
from app.database.indexes import create_indexes
from app.http.problems import NOT_FOUND, Problem
from app.media.signed_urls import object_name
from app.media.variants import VARIANT_NAMES
from app.storage import Bucket, StorageError

log = structlog.get_logger()

ORIGINAL: Final = "original"  # never delivered: its metadata may contain the location
POSTER: Final = "picture.webp"  # name of stored objects, so it cannot change
LATE_WRITES: Final = timedelta(minutes=10)  # twice the maximum duration of a job
_NAMES: Final = (ORIGINAL, POSTER, *VARIANT_NAMES)
_RETRY_SECONDS: Final = 30.0
_BATCH: Final = 100
_CONCURRENT: Final = 10  # deletions of documents, each with up to seven objects


class ObjectDeletions:
    """Recorded deletions in the collection ``object_deletions``. Times are Unix timestamps in seconds."""

    INDEXES = (IndexModel([("attempted_at", ASCENDING)], name="attempted"),)

    def __init__(self, database: Database, bucket: Bucket) -> None:
        self._database = database
        self._deletions = database["object_deletions"]
        self._bucket = bucket

    async def prepare(self) -> None:
        """Create the index that the sweep uses."""
        await create_indexes(self._deletions, self.INDEXES)

    async def record(self, collection: str, document_id: str) -> None:
        """Record that the objects of a document are to be removed. Call this before deleting the document."""
        now = clock.now().timestamp()
        intent: Document = {"collection": collection, "requested_at": now, "attempted_at": now}
        await self._deletions.update_one({"_id": document_id}, {"$set": intent}, upsert=True)

    async def remove_now(self, document_id: str) -> None:
        """Remove the objects of a deleted document. On a storage error the removal is left to
        :meth:`sweep`.
        """
        try:
            await self._remove(document_id)
        except StorageError as error:
            log.warning("object removal postponed: storage unavailable", id=document_id, error=str(error))

    async def sweep(self) -> int:
        """Remove the objects of recorded deletions, up to 100 per call. Return the number of completed
        deletions.

        Stops at the first storage error. Raises PyMongo errors.
        """
        now = clock.now().timestamp()
        due = {"attempted_at": {"$lt": now - _RETRY_SECONDS}}
        complete = 0
        deletions = self._deletions.find(due).sort("attempted_at", ASCENDING).limit(_BATCH)
        for deletion in await deletions.to_list():
            document_id = deletion["_id"]
            is_last = deletion["requested_at"] < now - LATE_WRITES.total_seconds()
            documents = self._database[deletion["collection"]]
            # The document still exists: its deletion failed or is in progress.
            if await documents.find_one({"_id": document_id}, {"_id": 1}) is None:
                try:
                    await self._remove(document_id)
                except StorageError as error:
                    log.warning("object removal postponed: storage unavailable", error=str(error))
                    return complete
            if is_last:
                await self._deletions.delete_one({"_id": document_id})
                complete += 1
            else:
                await self._deletions.update_one({"_id": document_id}, {"$set": {"attempted_at": now}})
        return complete

    async def _remove(self, document_id: str) -> None:
        await asyncio.gather(*(self._bucket.delete(object_name(document_id, name)) for name in _NAMES))


async def delete_each(ids: Sequence[str], delete: Callable[[str], Awaitable[None]]) -> None:
    """Call ``delete`` for all documents, several at a time. One that was deleted meanwhile is skipped."""

    async def delete_present(document_id: str) -> None:
        try:
            await delete(document_id)
        except Problem as problem:
            if problem.kind is not NOT_FOUND:
                raise

    for at in range(0, len(ids), _CONCURRENT):
        await asyncio.gather(*(delete_present(each) for each in ids[at : at + _CONCURRENT]))
