"""Recovery of documents in MongoDB whose job was lost or dead-lettered.

A document is written before its job is enqueued and is the source of truth. Its job can be lost (Redis lost
its last second of writes, or was unavailable) or dead-lettered. The sweep enqueues lost jobs again and gives
up dead ones, so that every document leaves its pending state.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec
import structlog
from pymongo import ASCENDING
from pymongo.asynchronous.collection import AsyncCollection

from app import clock
from app.connections import REDIS_ERRORS, Document
from app.queue.jobs import Job
from app.queue.queue import Queue, QueueFull

log = structlog.get_logger()

_BATCH: Final = 500
_MAX_BATCHES: Final = 10


class RequeueCounts(msgspec.Struct):
    """Number of documents whose job was ``enqueued`` again and that were ``given_up``."""

    enqueued: int = 0
    given_up: int = 0


async def enqueue_or_leave(queue: Queue, jobs: Sequence[Job]) -> int:
    """Enqueue the jobs of documents. Return the number of jobs that were not in the queue yet.

    If Redis is unavailable or the queue is full, 0 is returned: :func:`sweep` enqueues the jobs later.
    """
    if not jobs:
        return 0
    try:
        return sum(await queue.enqueue(*jobs))
    except (*REDIS_ERRORS, QueueFull) as error:
        log.warning("enqueue failed, will retry", error=type(error).__name__, count=len(jobs))
        return 0


async def sweep(
    documents: AsyncCollection[Document],
    queue: Queue,
    *,
    state: str,
    lost_before: datetime,
    expired_before: datetime,
    enqueue: Callable[[list[Document]], Awaitable[int]],
    give_up: Callable[[str], Awaitable[None]],
) -> RequeueCounts:
    """Sweep the documents in ``state``: up to 5,000 expired and 5,000 lost ones.

    Documents created before ``expired_before`` and those with a dead-lettered job are passed to ``give_up``.
    Documents last enqueued before ``lost_before`` are passed to ``enqueue``, and their ``queued_at`` (Unix
    time in seconds) is set to the current time, so the next sweep starts with others. Raises PyMongo errors.
    """
    counts = RequeueCounts()
    for _ in range(_MAX_BATCHES):
        expired = {"state": state, "created_at": {"$lt": expired_before}}
        batch = await documents.find(expired).sort("created_at", ASCENDING).limit(_BATCH).to_list()
        for document in batch:
            await give_up(document["_id"])
        counts.given_up += len(batch)
        if len(batch) < _BATCH:
            break
    for _ in range(_MAX_BATCHES):
        lost = {"state": state, "queued_at": {"$lt": lost_before.timestamp()}}
        batch = await documents.find(lost).sort("queued_at", ASCENDING).limit(_BATCH).to_list()
        if not batch:
            break
        try:
            dead = await queue.are_dead(*(document["_id"] for document in batch))
        except REDIS_ERRORS as error:
            log.warning("sweep interrupted: Redis unavailable", error=type(error).__name__)
            break
        for document, is_dead in zip(batch, dead, strict=True):
            if is_dead:
                await give_up(document["_id"])
        alive = [document for document, is_dead in zip(batch, dead, strict=True) if not is_dead]
        counts.given_up += len(batch) - len(alive)
        counts.enqueued += await enqueue(alive)
        ids = [document["_id"] for document in alive]
        await documents.update_many(
            {"_id": {"$in": ids}, "state": state}, {"$set": {"queued_at": clock.now().timestamp()}}
        )
        if len(batch) < _BATCH:
            break
    return counts
