"""The worker's half: making variants of what was uploaded. However often a job runs, one result stands."""

from __future__ import annotations

import asyncio

from app import context
from app.connections import Database, Document
from app.media.links import object_name
from app.media.recognition import Kind
from app.media.schemas import MakeVariants, State
from app.media.service import ORIGINAL
from app.media.variants import PictureRefused, make
from app.queue import Retry
from app.storage import Bucket, ObjectMissing, StorageError


class Processing:
    """Jobs on pictures."""

    def __init__(self, database: Database, bucket: Bucket) -> None:
        self._media = database["media"]
        self._bucket = bucket

    async def make_variants(self, task: MakeVariants) -> None:
        """The job: read the original, make the variants, put them beside it."""
        context.follow(task.trace)
        document = await self._media.find_one({"_id": task.id, "state": State.PROCESSING.value})
        if document is None:
            return  # made already, or deleted
        kind = Kind(document["media_type"])
        try:
            original = await self._bucket.get(object_name(task.id, ORIGINAL))
            variants = await asyncio.to_thread(make, original, kind)
            for variant in variants:
                form = variant.name.rpartition(".")[2]
                name = object_name(task.id, variant.name)
                await self._bucket.put(name, variant.data, media_type=f"image/{form}")
        except PictureRefused as refusal:
            await self._settle(task.id, {"state": State.REFUSED.value, "reason": str(refusal)})
        except ObjectMissing:
            await self._settle(task.id, {"state": State.REFUSED.value, "reason": "It is not there any more."})
        except StorageError as error:
            raise Retry(str(error)) from error
        else:
            made = [
                {
                    "name": variant.name,
                    "width": variant.width,
                    "height": variant.height,
                    "size": len(variant.data),
                }
                for variant in variants
            ]
            await self._settle(task.id, {"state": State.READY.value, "variants": made})

    async def _settle(self, media_id: str, change: Document) -> None:
        await self._media.update_one({"_id": media_id, "state": State.PROCESSING.value}, {"$set": change})
