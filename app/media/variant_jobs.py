"""Jobs that make the variants of an upload. A job may run often; its outcome is written once."""

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
from app.media.sniffing import Kind
from app.media.variants import PictureRefused, Variant
from app.queue import Queue, Retry
from app.queue.sweep import sweep
from app.storage import Bucket, ObjectMissing, StorageError
from app.telemetry import context

log = structlog.get_logger()

GIVEN_UP_AFTER: Final = timedelta(hours=1)
_FORGOTTEN_AFTER: Final = timedelta(seconds=10)
_FAILED: Final = "Its variants could not be made; upload it again."
_MISSING: Final = "The uploaded file is missing; upload it again."


class Processing:
    """Jobs on uploads.

    Every acknowledged upload ends as ``ready``, ``refused`` (the image is at fault) or ``failed`` (the
    service is), the latter two with a reason, at most :data:`GIVEN_UP_AFTER` and one sweep after it was
    acknowledged.
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
        """The job: read the original, make the variants, store them beside it.

        Raises :class:`Retry`, which does not count as an attempt, while the storage is unavailable.
        """
        context.follow(task.trace)
        document = await self._documents.find_one({"_id": task.id, "state": MediaState.PROCESSING.value})
        if document is None:
            return  # done by an earlier run, or deleted
        try:
            original = await self._bucket.get(object_name(task.id, ORIGINAL))
            variants = await self._decoder.make_variants(original, Kind(document["media_type"]))
            for variant in variants:
                form = variant.name.rpartition(".")[2]
                name = object_name(task.id, variant.name)
                await self._bucket.put(name, variant.data, media_type=f"image/{form}")
        except PictureRefused as refusal:
            await self._settle(task.id, MediaState.REFUSED, reason=str(refusal))
        except ObjectMissing:
            await self._settle(task.id, MediaState.FAILED, reason=_MISSING)
        except StorageError as error:
            raise Retry(str(error), counts=False) from error
        else:
            await self._settle(task.id, MediaState.READY, variants=[_entry(variant) for variant in variants])

    async def give_up(self, task: MakeVariants) -> None:
        """Settle an upload as failed: its job is dead, or it has waited too long."""
        await self._settle(task.id, MediaState.FAILED, reason=_FAILED)

    async def requeue(self) -> int:
        """Enqueue uploads whose job may be lost and settle those that are dead or too old; the number
        enqueued."""
        swept = await sweep(
            self._documents,
            self._queue,
            state=MediaState.PROCESSING.value,
            forgotten_before=clock.now() - _FORGOTTEN_AFTER,
            expired_before=clock.now() - GIVEN_UP_AFTER,
            enqueue=self._media.enqueue,
            give_up=lambda media_id: self.give_up(MakeVariants(media_id)),
        )
        return swept.enqueued

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
