"""Every acknowledged upload ends as ready, rejected or failed with a reason, even if its job fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from app import clock
from app.connections import Database, open_mongodb
from app.media.decoder import Decoder
from app.media.deletion import ORIGINAL, ObjectDeletions
from app.media.schemas import MakeVariants
from app.media.service import MAKE_VARIANTS, MediaLibrary
from app.media.signed_urls import SignedUrls, object_name
from app.media.variant_jobs import EXPIRES_AFTER, VariantJobs
from app.media.visibility import Visibility
from app.queue import Consumer, Job, Queue, Tasks
from app.queue.jobs import JobResult, Outcome
from app.settings import MongoAuth, MongoSettings
from app.storage import Bucket
from tests.app.media.test_endpoints import sample_image
from tests.support import backends
from tests.support.backends import until
from tests.support.storage import MemoryBucket

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(tmp_path: Any) -> AsyncIterator[Database]:
    process = backends.mongodb(tmp_path)
    process.start()
    settings = MongoSettings(
        url=f"mongodb://127.0.0.1:{process.port}/",
        database="kingdom",
        auth=MongoAuth.CERTIFICATE,
        certificate=None,
    )
    async with open_mongodb(settings, app_name="test") as opened:
        yield opened
    process.kill()


class Uploads:
    """Acknowledged uploads, with the queue and the job handlers that process them."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self.objects = MemoryBucket()
        self.bucket = cast(Bucket, self.objects)
        self.queue = Queue(redis, visibility=10.0)
        self.deletions = ObjectDeletions(database, self.bucket)
        visibility = Visibility(database, redis)
        links = SignedUrls((bytes(32),))
        self.media = MediaLibrary(database, self.bucket, self.queue, links, visibility, self.deletions)
        self.processing = VariantJobs(database, self.media, self.bucket, self.queue, Decoder())
        self.documents: Any = database["media"]

    async def acknowledge(self, name: str, *, age: timedelta = timedelta(0), enqueue: bool = True) -> None:
        """Store the original and write the document, as the upload route does."""
        self.objects.objects[object_name(name, ORIGINAL)] = sample_image(60, 40)
        at = clock.now() - age
        document = {
            "_id": name,
            "order": name,
            "owner": "ada",
            "state": "processing",
            "media_type": "image/png",
            "size": 1,
            "width": 60,
            "height": 40,
            "created_at": at,
            "queued_at": at.timestamp(),
            "request": name,
        }
        await self.documents.insert_one(document)
        if enqueue:
            await self.media.enqueue([document])

    async def state(self, name: str) -> str:
        return (await self.documents.find_one({"_id": name}))["state"]

    def consumer(self) -> Consumer:
        tasks = Tasks()
        work, dead = self.processing.make_variants, self.processing.give_up
        tasks.add(MAKE_VARIANTS, MakeVariants, work, on_dead=dead)
        return Consumer(self.queue, tasks)


@pytest.fixture
async def uploads(database: Database, redis: Redis) -> Uploads:
    made = Uploads(database, redis)
    await made.media.prepare()
    return made


async def make_due(redis: Redis) -> None:
    """Make all delayed jobs due."""
    client: Any = redis
    for name in await client.zrange("queue:{jobs}:delayed", 0, -1):
        await client.zadd("queue:{jobs}:delayed", {name: 0})


@pytest.mark.slow
async def test_storage_outage_does_not_count_as_an_attempt(uploads: Uploads, redis: Redis) -> None:
    await uploads.acknowledge("one")
    uploads.objects.available = False
    consumer = uploads.consumer()
    running = asyncio.create_task(consumer.run())
    seen = 0
    while seen < 2 * uploads.queue.max_attempts:  # far more runs than a job has attempts
        calls = uploads.objects.calls
        await make_due(redis)
        await until(lambda calls=calls: uploads.objects.calls > calls)
        await until(lambda: _delayed(uploads.queue))
        seen += 1
    assert await uploads.state("one") == "processing"
    uploads.objects.available = True
    await make_due(redis)
    await until(lambda: _is(uploads, "one", "ready"), 30)
    await consumer.stop(1)
    running.cancel()


async def _delayed(queue: Queue) -> bool:
    return (await queue.depth()).delayed == 1


async def _is(uploads: Uploads, name: str, state: str) -> bool:
    return await uploads.state(name) == state


async def test_lost_original_fails_the_upload_with_a_reason(uploads: Uploads) -> None:
    await uploads.acknowledge("one", enqueue=False)
    uploads.objects.objects.clear()
    await uploads.processing.make_variants(MakeVariants("one"))
    document = await uploads.documents.find_one({"_id": "one"})
    assert (document["state"], bool(document["reason"])) == ("failed", True)


async def test_dead_job_without_a_worker_is_settled_by_the_sweep(uploads: Uploads) -> None:
    await uploads.acknowledge("one", age=timedelta(minutes=1))
    (lease,) = (await uploads.queue.reserve(1)).leases
    await uploads.queue.settle(JobResult(lease, Outcome.DEAD, error="lease expired: worker lost"))
    await uploads.processing.requeue()
    document = await uploads.documents.find_one({"_id": "one"})
    assert (document["state"], bool(document["reason"])) == ("failed", True)


@pytest.mark.slow
async def test_long_waiting_uploads_do_not_starve_lost_ones(uploads: Uploads, redis: Redis) -> None:
    for number in range(700):  # more than one batch, all still queued
        await uploads.acknowledge(f"waiting{number}", age=timedelta(minutes=5))
    await uploads.acknowledge("lost", age=timedelta(minutes=1), enqueue=False)
    assert await uploads.processing.requeue() == 1
    assert await redis.exists("queue:{jobs}:job:lost")
    document = await uploads.documents.find_one({"_id": "lost"})
    assert document["queued_at"] > clock.now().timestamp() - 60, "its turn comes after the others'"


async def test_expired_upload_fails_even_without_redis(
    uploads: Uploads, redis_process: backends.Process
) -> None:
    await uploads.acknowledge("old", age=EXPIRES_AFTER + timedelta(minutes=1), enqueue=False)
    await uploads.acknowledge("new", age=timedelta(minutes=1), enqueue=False)
    redis_process.kill()
    try:
        await uploads.processing.requeue()
        assert await uploads.state("old") == "failed"
        assert await uploads.state("new") == "processing"
    finally:
        redis_process.start()


async def test_dead_letter_handler_settles_the_upload(uploads: Uploads) -> None:
    """A job fails until its attempts are exhausted."""
    await uploads.acknowledge("one", enqueue=False)
    await uploads.queue.enqueue(Job("one", MAKE_VARIANTS, b"no json"))
    consumer = uploads.consumer()
    running = asyncio.create_task(consumer.run())
    await until(lambda: _dead(uploads.queue))
    await uploads.documents.update_one({"_id": "one"}, {"$set": {"queued_at": 0.0}})
    await uploads.processing.requeue()
    assert await uploads.state("one") == "failed"
    await consumer.stop(1)
    running.cancel()


async def _dead(queue: Queue) -> bool:
    return (await queue.depth()).dead == 1
