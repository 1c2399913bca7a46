"""Recovery of work that is recorded in MongoDB and that no live job of the queue stands for.

The document is the truth: it is written before its job is enqueued. A job can be lost (Redis lost its last
second of writes, or was unavailable) or dead (its attempts are used up, or its worker died with the last
one). The sweep enqueues the first again and settles the second, so that every document leaves its pending
state.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import msgspec
import structlog
from pymongo import ASCENDING
from pymongo.asynchronous.collection import AsyncCollection

from app import clock
from app.connections import REDIS_GONE, Document
from app.queue.queue import Queue

log = structlog.get_logger()

_BATCH: Final = 500
_MAX_BATCHES: Final = 10


class Swept(msgspec.Struct):
    """Documents whose job was ``enqueued`` again, and documents that were ``given_up``."""

    enqueued: int = 0
    given_up: int = 0


async def sweep(
    documents: AsyncCollection[Document],
    queue: Queue,
    *,
    state: str,
    forgotten_before: datetime,
    expired_before: datetime,
    enqueue: Callable[[list[Document]], Awaitable[int]],
    give_up: Callable[[str], Awaitable[None]],
) -> Swept:
    """Sweep the documents in ``state``, up to 5,000 of each sort.

    Documents created before ``expired_before``, and those whose job is a dead letter, are passed to
    ``give_up``. Documents last enqueued before ``forgotten_before`` are passed to ``enqueue`` and their
    ``queued_at`` (in seconds of the epoch) is set to the current time: the next sweep begins with others, so
    documents that wait for a long time do not keep the sweep from the rest. Raises what PyMongo raises.
    """
    swept = Swept()
    for _ in range(_MAX_BATCHES):
        expired = {"state": state, "created_at": {"$lt": expired_before}}
        batch = await documents.find(expired).sort("created_at", ASCENDING).limit(_BATCH).to_list()
        for document in batch:
            await give_up(document["_id"])
        swept.given_up += len(batch)
        if len(batch) < _BATCH:
            break
    for _ in range(_MAX_BATCHES):
        forgotten = {"state": state, "queued_at": {"$lt": forgotten_before.timestamp()}}
        batch = await documents.find(forgotten).sort("queued_at", ASCENDING).limit(_BATCH).to_list()
        if not batch:
            break
        try:
            dead = await queue.are_dead(*(document["_id"] for document in batch))
        except REDIS_GONE as error:
            log.warning("sweep interrupted: Redis unavailable", error=type(error).__name__)
            break
        for document, is_dead in zip(batch, dead, strict=True):
            if is_dead:
                await give_up(document["_id"])
        alive = [document for document, is_dead in zip(batch, dead, strict=True) if not is_dead]
        swept.given_up += len(batch) - len(alive)
        swept.enqueued += await enqueue(alive)
        ids = [document["_id"] for document in alive]
        await documents.update_many(
            {"_id": {"$in": ids}, "state": state}, {"$set": {"queued_at": clock.now().timestamp()}}
        )
        if len(batch) < _BATCH:
            break
    return swept
