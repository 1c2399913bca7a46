"""Removal of the objects of deleted contents and uploads.

The intent is recorded before the document is deleted, so that neither a crash nor an outage of the storage
leaves an object behind. Objects are removed at once where that is possible, and a second time after
:data:`LATE_WRITES`: a job that was running during the deletion may store its result after the first removal.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog
from pymongo import ASCENDING, IndexModel

from app import clock
from app.connections import Database, Document
from app.database.indexes import create_indexes
from app.media.signed_urls import object_name
from app.media.variants import VARIANT_NAMES
from app.storage import Bucket, StorageError

log = structlog.get_logger()

ORIGINAL: Final = "original"  # never delivered: its metadata says where it was taken
POSTER: Final = "picture.webp"
LATE_WRITES: Final = timedelta(minutes=10)  # twice what a job may take
_NAMES: Final = (ORIGINAL, POSTER, *VARIANT_NAMES)
_RETRY_SECONDS: Final = 30.0
_BATCH: Final = 100


class ObjectDeletions:
    """Recorded deletions, in the collection ``object_deletions``. Times are in seconds of the epoch."""

    INDEXES = (IndexModel([("attempted_at", ASCENDING)], name="attempted"),)

    def __init__(self, database: Database, bucket: Bucket) -> None:
        self._database = database
        self._deletions = database["object_deletions"]
        self._bucket = bucket

    async def prepare(self) -> None:
        """Create the index of the sweep."""
        await create_indexes(self._deletions, self.INDEXES)

    async def record(self, collection: str, document_id: str) -> None:
        """Record that the objects of a document are to be removed. Call it before deleting the document."""
        now = clock.now().timestamp()
        intent: Document = {"collection": collection, "requested_at": now, "attempted_at": now}
        await self._deletions.update_one({"_id": document_id}, {"$set": intent}, upsert=True)

    async def remove_now(self, document_id: str) -> None:
        """Remove the objects of a deleted document; what fails is left to :meth:`sweep`."""
        try:
            await self._remove(document_id)
        except StorageError as error:
            log.warning("objects not removed yet: storage unavailable", id=document_id, error=str(error))

    async def sweep(self) -> int:
        """Remove the objects of recorded deletions; the number of deletions that are complete.

        Raises what PyMongo raises.
        """
        now = clock.now().timestamp()
        due = {"attempted_at": {"$lt": now - _RETRY_SECONDS}}
        complete = 0
        deletions = self._deletions.find(due).sort("attempted_at", ASCENDING).limit(_BATCH)
        for deletion in await deletions.to_list():
            document_id = deletion["_id"]
            is_last = deletion["requested_at"] < now - LATE_WRITES.total_seconds()
            documents = self._database[deletion["collection"]]
            # The document is still there: its deletion failed, or is under way.
            if await documents.find_one({"_id": document_id}, {"_id": 1}) is None:
                try:
                    await self._remove(document_id)
                except StorageError as error:
                    log.warning("objects not removed yet: storage unavailable", error=str(error))
                    return complete
            if is_last:
                await self._deletions.delete_one({"_id": document_id})
                complete += 1
            else:
                await self._deletions.update_one({"_id": document_id}, {"$set": {"attempted_at": now}})
        return complete

    async def _remove(self, document_id: str) -> None:
        await asyncio.gather(*(self._bucket.delete(object_name(document_id, name)) for name in _NAMES))
