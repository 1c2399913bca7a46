"""The worker's half: making what was asked for. However often a job runs, one result stands."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog
from pymongo import ASCENDING, ReturnDocument

from app import clock, context, metrics
from app.answers import encode
from app.cache import Cache
from app.connections import Database, Document
from app.content import picture
from app.content.generator import Generator, GeneratorDown, GeneratorRefused, Tell
from app.content.progress import Progress
from app.content.schemas import Form, Generate, State
from app.content.service import GIVEN_UP_AFTER, IMAGE, Contents, Kept, describe
from app.media.links import object_name
from app.queue import Retry
from app.storage import Bucket, StorageError

log = structlog.get_logger()

_FORGOTTEN_AFTER: Final = timedelta(seconds=5)
_REQUEUE_BATCH: Final = 500
_PIECE: Final = 24  # characters; a model's tokens are shorter, and each piece is a message to Redis


class Making:
    """Jobs on content."""

    def __init__(
        self,
        database: Database,
        contents: Contents,
        cache: Cache[Kept | None],
        bucket: Bucket,
        generator: Generator,
        progress: Progress,
    ) -> None:
        self._documents = database["contents"]
        self._contents = contents
        self._cache = cache
        self._bucket = bucket
        self._generator = generator
        self._progress = progress

    async def generate(self, task: Generate) -> None:
        """The job: make the text and the picture."""
        context.follow(task.trace)
        document = await self._documents.find_one({"_id": task.id, "state": State.QUEUED.value})
        if document is None:
            return  # made already, by a run that could not say so any more
        await self._progress.tell(task.id, "started", b"{}")
        try:
            text = await self._write(document)
            image = await asyncio.to_thread(picture.draw, document["prompt"])
            name = object_name(task.id, IMAGE)
            await self._bucket.put(name, image, media_type=picture.MEDIA_TYPE)
        except GeneratorRefused as refusal:
            await self._settle(task.id, {"state": State.FAILED.value, "reason": str(refusal)})
        except GeneratorDown as down:
            # No attempt: however long it is away, wishes wait, until they are too old (see requeue).
            raise Retry(str(down), down.retry_after, counts=False) from down
        except StorageError as error:
            raise Retry(str(error), counts=False) from error
        else:
            await self._settle(task.id, {"state": State.READY.value, "text": text, "image": True})

    async def requeue(self) -> int:
        """Hand in what has been queued for so long that its job may be lost, and give up on what is too old;
        how many were handed in."""
        now = clock.now()
        found = self._documents.find(
            {"state": State.QUEUED.value, "queued_at": {"$lt": now - _FORGOTTEN_AFTER}}
        )
        documents = await found.sort("queued_at", ASCENDING).limit(_REQUEUE_BATCH).to_list()
        late = [document for document in documents if document["created_at"] < now - GIVEN_UP_AFTER]
        for document in late:
            await self.give_up(Generate(document["_id"]))
        return await self._contents.hand_in([document for document in documents if document not in late])

    async def give_up(self, task: Generate) -> None:
        """Say that it will not be made."""
        reason = "It could not be made; ask for it again."
        await self._settle(task.id, {"state": State.FAILED.value, "reason": reason})

    async def _write(self, document: Document) -> str:
        pieces: list[str] = []

        async def tell(piece: str) -> None:
            pieces.append(piece)
            if sum(map(len, pieces)) >= _PIECE:
                await flush()

        async def flush() -> None:
            await self._progress.tell(document["_id"], "text", encode({"text": "".join(pieces)}))
            pieces.clear()

        speaking: Tell = tell
        text = await self._generator.write(document["prompt"], Form(document["form"]), speaking)
        if pieces:
            await flush()
        return text

    async def _settle(self, content_id: str, change: Document) -> None:
        """Write the end down, once, and tell everybody."""
        settled = await self._documents.find_one_and_update(
            {"_id": content_id, "state": State.QUEUED.value},
            {"$set": change | {"finished": {"at": clock.now()}}},
            return_document=ReturnDocument.AFTER,
        )
        await self._cache.invalidate(content_id)
        if settled is not None:
            await self._contents.results.written(settled["owner"])
            metrics.contents_finished.labels(change["state"]).inc()
            log.info("content made", content=content_id, state=change["state"])
            await self._progress.tell(content_id, change["state"], encode(describe(settled)))
