"""Worker jobs that generate the variants of uploads. Jobs are idempotent: the outcome is recorded once."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog
from pymongo.asynchronous.collection import AsyncCollection

from app import clock
from app.connections import Database, Document
from app.media.decoder import Decoder
from app.media.schemas import MakeVariants, MediaState
from app.media.service import ORIGINAL, MediaLibrary
from app.media.signed_urls import object_name
from app.media.sniffing import ImageFormat
from app.media.variants import ImageRejected, Variant
from app.queue import Queue, RetryLater
from app.queue.sweep import sweep
from app.storage import Bucket, ObjectMissing, StorageError
from app.telemetry import context

log = structlog.get_logger()

EXPIRES_AFTER: Final = timedelta(hours=1)
_LOST_AFTER: Final = timedelta(seconds=10)
_FAILED: Final = "The variants could not be generated. Upload the image again."
_MISSING: Final = "The uploaded file is missing. Upload the image again."


class VariantJobs:
    """Jobs on uploads.

    Every acknowledged upload ends as ``ready``, ``refused`` (the image was rejected) or ``failed``
    (processing failed), the latter two with a reason, at most :data:`EXPIRES_AFTER` plus one sweep after it
    was acknowledged.
    """

    def __init__(
        self, database: Database, media: MediaLibrary, bucket: Bucket, queue: Queue, decoder: Decoder
    ) -> None:
        self._documents: AsyncCollection[Document] = database["media"]
        self._media = media
        self._bucket = bucket
        self._queue = queue
        self._decoder = decoder

    async def make_variants(self, task: MakeVariants) -> None:
        """Job: read the original, generate its variants and store them beside it.

        Raises :class:`RetryLater`, which does not count as an attempt, while the storage is unavailable.
        """
        context.follow(task.trace)
        document = await self._documents.find_one({"_id": task.id, "state": MediaState.PROCESSING.value})
        if document is None:
            return  # completed by an earlier run, or deleted
        try:
            original = await self._bucket.get(object_name(task.id, ORIGINAL))
            variants = await self._decoder.make_variants(original, ImageFormat(document["media_type"]))
            for variant in variants:
                form = variant.name.rpartition(".")[2]
                name = object_name(task.id, variant.name)
                await self._bucket.put(name, variant.data, media_type=f"image/{form}")
        except ImageRejected as rejection:
            await self._settle(task.id, MediaState.REFUSED, reason=str(rejection))
        except ObjectMissing:
            await self._settle(task.id, MediaState.FAILED, reason=_MISSING)
        except StorageError as error:
            raise RetryLater(str(error), counts=False) from error
        else:
            await self._settle(task.id, MediaState.READY, variants=[_entry(variant) for variant in variants])

    async def give_up(self, task: MakeVariants) -> None:
        """Record an upload as failed, because its job is dead-lettered or too old."""
        await self._settle(task.id, MediaState.FAILED, reason=_FAILED)

    async def requeue(self) -> int:
        """Enqueue uploads whose job may be lost; fail those that are dead or too old. Return the number
        enqueued.
        """
        counts = await sweep(
            self._documents,
            self._queue,
            state=MediaState.PROCESSING.value,
            lost_before=clock.now() - _LOST_AFTER,
            expired_before=clock.now() - EXPIRES_AFTER,
            enqueue=self._media.enqueue,
            give_up=lambda media_id: self.give_up(MakeVariants(media_id)),
        )
        return counts.enqueued

    async def _settle(self, media_id: str, state: MediaState, **change: object) -> None:
        settled = await self._documents.update_one(
            {"_id": media_id, "state": MediaState.PROCESSING.value},
            {"$set": {"state": state.value, "finished": {"at": clock.now()}, **change}},
        )
        if settled.modified_count:
            log.info("upload settled", media=media_id, state=state.value)


def _entry(variant: Variant) -> Document:
    return {
        "name": variant.name,
        "width": variant.width,
        "height": variant.height,
        "size": len(variant.data),
    }
