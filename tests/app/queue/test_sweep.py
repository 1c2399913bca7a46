"""The sweep: lost jobs are enqueued again, dead and expired documents are given up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from app import clock
from app.connections import Database
from app.queue import Job, JobResult, Outcome, Queue
from app.queue.sweep import RequeueCounts, enqueue_or_leave, sweep

pytestmark = pytest.mark.anyio

NOW = clock.now().replace(microsecond=0)


class Swept:
    """A collection of documents, and what the sweep did with them."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self.documents: Any = database["documents"]
        self.queue = Queue(redis)
        self.enqueued: list[str] = []
        self.given_up: list[str] = []

    async def insert(
        self, name: str, *, created: float = 0, queued: float = 0, state: str = "pending"
    ) -> None:
        """Insert a document that was created and queued the given seconds ago."""
        await self.documents.insert_one(
            {
                "_id": name,
                "state": state,
                "created_at": NOW - timedelta(seconds=created),
                "queued_at": NOW.timestamp() - queued,
            }
        )

    async def run(self) -> RequeueCounts:
        async def enqueue(documents: list[dict[str, Any]]) -> int:
            self.enqueued += [document["_id"] for document in documents]
            return len(documents)

        async def give_up(name: str) -> None:
            self.given_up.append(name)
            await self.documents.update_one({"_id": name}, {"$set": {"state": "failed"}})

        return await sweep(
            self.documents,
            self.queue,
            state="pending",
            lost_before=NOW - timedelta(seconds=10),
            expired_before=NOW - timedelta(seconds=100),
            enqueue=enqueue,
            give_up=give_up,
        )


@pytest.fixture
def swept(own_database: Database, redis: Redis) -> Swept:
    return Swept(own_database, redis)


async def test_documents_older_than_a_limit_are_swept_and_those_at_it_are_not(swept: Swept) -> None:
    await swept.insert("recent", created=50, queued=10)
    await swept.insert("lost", created=50, queued=11)
    await swept.insert("old", created=100, queued=0)
    await swept.insert("expired", created=101, queued=0)
    await swept.insert("finished", created=500, queued=500, state="ready")
    counts = await swept.run()
    assert (swept.enqueued, swept.given_up) == (["lost"], ["expired"])
    assert (counts.enqueued, counts.given_up) == (1, 1)


async def test_dead_jobs_are_given_up_instead_of_enqueued(swept: Swept) -> None:
    for name in ("dead", "lost"):
        await swept.insert(name, created=50, queued=50)
    await swept.queue.enqueue(Job("dead", "kind"))
    (lease,) = (await swept.queue.reserve(1)).leases
    await swept.queue.settle(JobResult(lease, Outcome.DEAD, error="broken"))
    counts = await swept.run()
    assert (swept.enqueued, swept.given_up) == (["lost"], ["dead"])
    assert (counts.enqueued, counts.given_up) == (1, 1)


async def test_enqueued_documents_are_not_swept_again_at_once(swept: Swept) -> None:
    await swept.insert("lost", created=50, queued=50)
    await swept.run()
    await swept.run()
    assert swept.enqueued == ["lost"]


async def test_oldest_lost_documents_come_first(swept: Swept) -> None:
    for name, queued in (("b", 20), ("a", 30), ("c", 15)):
        await swept.insert(name, created=50, queued=queued)
    await swept.run()
    assert swept.enqueued == ["a", "b", "c"]


async def test_all_batches_of_old_documents_are_swept(swept: Swept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.queue.sweep._BATCH", 2)
    for number in range(5):
        await swept.insert(f"expired{number}", created=200, queued=0)
        await swept.insert(f"lost{number}", created=50, queued=50 - number)
    counts = await swept.run()
    assert sorted(swept.given_up) == [f"expired{number}" for number in range(5)]
    assert swept.enqueued == [f"lost{number}" for number in range(5)]
    assert (counts.enqueued, counts.given_up) == (5, 5)


async def test_number_of_swept_documents_is_limited(swept: Swept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.queue.sweep._BATCH", 1)
    monkeypatch.setattr("app.queue.sweep._MAX_BATCHES", 2)
    for number in range(3):
        await swept.insert(f"expired{number}", created=200, queued=0)
        await swept.insert(f"lost{number}", created=50, queued=50)
    counts = await swept.run()
    assert (counts.enqueued, counts.given_up) == (2, 2)


async def test_a_full_queue_leaves_the_jobs_to_the_sweep(swept: Swept) -> None:
    full = Queue(swept.queue._redis, limit=1)
    assert await enqueue_or_leave(full, []) == 0
    assert await enqueue_or_leave(full, [Job("first", "kind")]) == 1
    assert await enqueue_or_leave(full, [Job("second", "kind")]) == 0
