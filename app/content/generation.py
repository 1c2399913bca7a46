"""The worker's half: making what was asked for. However often a job runs, one result stands."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog
from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection

from app import clock
from app.cache import Cache
from app.connections import Database, Document
from app.content import poster
from app.content.generator import Generator, GeneratorDown, GeneratorRefused, Tell
from app.content.progress import Progress
from app.content.schemas import ContentState, Form, Generate
from app.content.service import GIVEN_UP_AFTER, IMAGE, Contents, Kept, describe
from app.http.responses import encode
from app.media.signed_urls import object_name
from app.queue import Queue, Retry
from app.queue.sweep import sweep
from app.storage import Bucket, StorageError
from app.telemetry import context, metrics

log = structlog.get_logger()

_FORGOTTEN_AFTER: Final = timedelta(seconds=5)
_PIECE: Final = 24  # characters; a model's tokens are shorter, and each piece is a message to Redis


class Making:
    """Jobs on content."""

    def __init__(
        self,
        database: Database,
        contents: Contents,
        cache: Cache[Kept | None],
        bucket: Bucket,
        queue: Queue,
        generator: Generator,
        progress: Progress,
    ) -> None:
        self._documents: AsyncCollection[Document] = database["contents"]
        self._contents = contents
        self._cache = cache
        self._bucket = bucket
        self._queue = queue
        self._generator = generator
        self._progress = progress

    async def generate(self, task: Generate) -> None:
        """The job: make the text and the picture."""
        context.follow(task.trace)
        document = await self._documents.find_one({"_id": task.id, "state": ContentState.QUEUED.value})
        if document is None:
            # Done by a run that ended before it could publish that.
            await self._cache.invalidate(task.id)
            return
        await self._progress.tell(task.id, "started", b"{}")
        try:
            text = await self._write(document)
            image = await asyncio.to_thread(poster.draw, document["prompt"])
            name = object_name(task.id, IMAGE)
            await self._bucket.put(name, image, media_type=poster.MEDIA_TYPE)
        except GeneratorRefused as refusal:
            await self._settle(task.id, {"state": ContentState.FAILED.value, "reason": str(refusal)})
        except GeneratorDown as down:
            # No attempt: however long it is away, wishes wait, until they are too old (see requeue).
            raise Retry(str(down), down.retry_after, counts=False) from down
        except StorageError as error:
            raise Retry(str(error), counts=False) from error
        else:
            await self._settle(task.id, {"state": ContentState.READY.value, "text": text, "image": True})

    async def requeue(self) -> int:
        """Enqueue content whose job may be lost and settle what is dead or too old; the number enqueued."""
        swept = await sweep(
            self._documents,
            self._queue,
            state=ContentState.QUEUED.value,
            forgotten_before=clock.now() - _FORGOTTEN_AFTER,
            expired_before=clock.now() - GIVEN_UP_AFTER,
            enqueue=self._contents.hand_in,
            give_up=lambda content_id: self.give_up(Generate(content_id)),
        )
        return swept.enqueued

    async def give_up(self, task: Generate) -> None:
        """Say that it will not be made."""
        reason = "It could not be made; ask for it again."
        await self._settle(task.id, {"state": ContentState.FAILED.value, "reason": reason})

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
        async with self._cache.writing(content_id):
            settled = await self._documents.find_one_and_update(
                {"_id": content_id, "state": ContentState.QUEUED.value},
                {"$set": change | {"finished": {"at": clock.now()}}},
                return_document=ReturnDocument.AFTER,
            )
        if settled is not None:
            await self._contents.results.written(settled["owner"])
            metrics.contents_finished.labels(change["state"]).inc()
            log.info("content made", content=content_id, state=change["state"])
            await self._progress.tell(content_id, change["state"], encode(describe(settled)))
