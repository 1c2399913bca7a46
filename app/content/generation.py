"""Worker-side job handlers. Handlers are idempotent: repeated runs produce a single result."""

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
from app.content.generator import Generator, GeneratorUnavailable, PromptRejected, TextCallback
from app.content.progress import Progress
from app.content.schemas import ContentState, Form, Generate
from app.content.service import EXPIRES_AFTER, IMAGE, CachedContent, Contents, describe
from app.http.responses import encode
from app.http.text import clean_prose
from app.media.signed_urls import object_name
from app.queue import Queue, RetryLater
from app.queue.sweep import sweep
from app.storage import Bucket, StorageError
from app.telemetry import context, metrics

log = structlog.get_logger()

_LOST_AFTER: Final = timedelta(seconds=5)
# Characters. The tokens of a model are shorter, and each fragment is a message to Redis.
_MIN_FRAGMENT_LENGTH: Final = 24


class ContentGeneration:
    """Job handlers that generate the text and the poster of content items."""

    def __init__(
        self,
        database: Database,
        contents: Contents,
        cache: Cache[CachedContent | None],
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
        """Job: generate the text and the image.

        Raises :class:`RetryLater`, which does not count as an attempt, while the generator or the storage is
        unavailable.
        """
        context.follow(task.trace)
        document = await self._documents.find_one({"_id": task.id})
        if document is None or document["state"] != ContentState.QUEUED.value:
            # Completed by a run that ended before it invalidated the caches.
            await self._cache.invalidate(task.id)
            if document is not None:
                await self._contents.results.written(document["owner"])
            return
        await self._progress.publish(task.id, "started", b"{}")
        try:
            text = await self._write(document)
            image = await asyncio.to_thread(poster.draw, document["prompt"])
            name = object_name(task.id, IMAGE)
            await self._bucket.put(name, image, media_type=poster.MEDIA_TYPE)
        except PromptRejected as rejection:
            await self._settle(document, {"state": ContentState.FAILED.value, "reason": str(rejection)})
        except GeneratorUnavailable as down:
            # Does not count as an attempt: requests wait for the generator until they expire (see requeue).
            raise RetryLater(str(down), down.retry_after, counts=False) from down
        except StorageError as error:
            raise RetryLater(str(error), counts=False) from error
        else:
            await self._settle(document, {"state": ContentState.READY.value, "text": text, "image": True})

    async def requeue(self) -> int:
        """Enqueue content whose job may be lost; fail what is dead or too old. Return the number enqueued."""
        counts = await sweep(
            self._documents,
            self._queue,
            state=ContentState.QUEUED.value,
            lost_before=clock.now() - _LOST_AFTER,
            expired_before=clock.now() - EXPIRES_AFTER,
            enqueue=self._contents.enqueue,
            give_up=lambda content_id: self.give_up(Generate(content_id)),
        )
        return counts.enqueued

    async def give_up(self, task: Generate) -> None:
        """Record a content item as failed."""
        document = await self._documents.find_one({"_id": task.id}, {"owner": 1})
        if document is not None:
            reason = "The content could not be generated. Create it again."
            await self._settle(document, {"state": ContentState.FAILED.value, "reason": reason})

    async def _write(self, document: Document) -> str:
        fragments: list[str] = []

        async def collect(fragment: str) -> None:
            fragments.append(fragment)
            if sum(map(len, fragments)) >= _MIN_FRAGMENT_LENGTH:
                await flush()

        async def flush() -> None:
            await self._progress.publish(
                document["_id"], "text", encode({"text": clean_prose("".join(fragments))})
            )
            fragments.clear()

        callback: TextCallback = collect
        text = clean_prose(await self._generator.write(document["prompt"], Form(document["form"]), callback))
        if fragments:
            await flush()
        return text

    async def _settle(self, document: Document, change: Document) -> None:
        """Record the final state once, and publish it to the subscribers."""
        content_id, owner = document["_id"], document["owner"]
        async with self._cache.writing(content_id), self._contents.results.writing(owner):
            settled = await self._documents.find_one_and_update(
                {"_id": content_id, "state": ContentState.QUEUED.value},
                {"$set": change | {"finished": {"at": clock.now()}}},
                return_document=ReturnDocument.AFTER,
            )
        if settled is not None:
            metrics.contents_finished.labels(change["state"]).inc()
            log.info("content generated", content=content_id, state=change["state"])
            await self._progress.publish(content_id, change["state"], encode(describe(settled)))
