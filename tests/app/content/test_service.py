"""Content service: quota, idempotency, ownership, deletion, enqueueing."""

from __future__ import annotations

import time
import tracemalloc
from typing import cast
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.auth.roles import PLAN_QUOTAS, Plan
from app.auth.tokens import Session
from app.cache.memory_layer import OVERHEAD_BYTES
from app.connections import Database
from app.content.schemas import Content, ContentState, NewContent
from app.content.service import CachedContent, Contents, content_cache
from app.http.idempotency import IdempotentRequest
from app.http.pagination import PageQuery
from app.http.problems import Problem
from app.media.deletion import ObjectDeletions
from app.media.visibility import Visibility
from app.queue import Priority, Queue
from app.storage import Bucket
from tests.support.storage import MemoryBucket

pytestmark = pytest.mark.anyio


class Service:
    """The content service on a queue and a bucket of its own."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self.objects = MemoryBucket()
        bucket = cast(Bucket, self.objects)
        self.database = database
        self.queue = Queue(redis)
        visibility, deletions = Visibility(database, redis), ObjectDeletions(database, bucket)
        self.cache = content_cache(redis)
        self.contents = Contents(database, self.cache, self.queue, bucket, redis, visibility, deletions)

    async def create(self, account: str = "ada", *, plan: str = "studio", key: str = "") -> Content:
        session = Session(account, int(time.time()) + 60, "session", plan)
        request = IdempotentRequest(key, "fingerprint") if key else None
        content, _ = await self.contents.create(session, NewContent("a lighthouse"), request)
        return content

    async def finish(self, content_id: str) -> None:
        change = {"$set": {"state": "ready", "text": "text", "image": True}}
        await self.database["contents"].update_one({"_id": content_id}, change)


@pytest.fixture
async def service(own_database: Database, redis: Redis) -> Service:
    service = Service(own_database, redis)
    await service.contents.prepare()
    return service


def status(caught: pytest.ExceptionInfo[Problem]) -> int:
    return caught.value.kind.status


async def test_created_content_is_queued_with_the_priority_of_its_plan(service: Service) -> None:
    low, high = await service.create(plan="free"), await service.create("eve", plan="studio")
    assert low.state is ContentState.QUEUED
    depth = await service.queue.depth()
    assert depth.ready == {Priority.HIGH: 1, Priority.NORMAL: 0, Priority.LOW: 1}
    leases = (await service.queue.reserve(2)).leases
    assert [lease.id for lease in leases] == [high.id, low.id]


async def test_unfinished_content_is_limited_by_the_plan(service: Service) -> None:
    limit = PLAN_QUOTAS[Plan.FREE].unfinished
    created = [await service.create(plan="free") for _ in range(limit)]
    with pytest.raises(Problem) as caught:
        await service.create(plan="free")
    assert (status(caught), str(limit) in caught.value.detail) == (403, True)
    await service.finish(created[0].id)
    await service.create(plan="free")


async def test_repeated_request_returns_the_existing_content(service: Service) -> None:
    first = await service.create(key="ada:key")
    assert (await service.create(key="ada:key")).id == first.id
    assert await service.database["contents"].count_documents({}) == 1


async def test_full_queue_rejects_new_content_once_it_is_known_to_be_full(service: Service) -> None:
    service.queue.limit = 5
    for number in range(5):
        await service.create(f"account{number}")
    late = await service.create("late")
    assert late.state is ContentState.QUEUED, "persisted, although its job was not enqueued"
    with pytest.raises(Problem) as caught:
        await service.create("later")
    assert (status(caught), caught.value.headers["retry-after"]) == (503, "5")


async def test_content_of_another_account_is_not_found(service: Service) -> None:
    content = await service.create()
    assert (await service.contents.read("ada", content.id)).id == content.id
    for owner, content_id in (("eve", content.id), ("ada", uuid4().hex)):
        with pytest.raises(Problem) as caught:
            await service.contents.read(owner, content_id)
        assert status(caught) == 404


async def test_lists_are_pages_of_the_own_content_newest_first(service: Service) -> None:
    created = [(await service.create()).id for _ in range(3)]
    await service.create("eve")
    page = await service.contents.list_own("ada", PageQuery(limit=2))
    assert [item.id for item in page.items] == created[:0:-1]
    rest = await service.contents.list_own("ada", PageQuery(limit=2, cursor=page.next or ""))
    assert ([item.id for item in rest.items], rest.next) == (created[:1], None)


async def test_image_is_available_once_the_content_is_ready(service: Service) -> None:
    content = await service.create()
    with pytest.raises(Problem) as caught:
        await service.contents.image("ada", content.id)
    assert status(caught) == 404


async def test_delete_removes_content_of_the_owner_only(service: Service) -> None:
    content = await service.create()
    with pytest.raises(Problem):
        await service.contents.delete("eve", content.id)
    await service.contents.delete("ada", content.id)
    with pytest.raises(Problem):
        await service.contents.read("ada", content.id)
    await service.create()
    assert await service.contents.delete_all("ada") == 1
    assert (await service.contents.list_own("ada", PageQuery())).items == []


async def test_enqueueing_twice_adds_one_job(service: Service) -> None:
    content = await service.create()
    document = await service.database["contents"].find_one({"_id": content.id})
    assert document is not None
    assert await service.contents.enqueue([document]) == 0
    assert await service.contents.enqueue([]) == 0
    assert (await service.queue.depth()).waiting == 1


async def test_ready_content_is_held_in_memory_for_up_to_five_seconds(service: Service) -> None:
    content = await service.create()
    await service.contents.read("ada", content.id)
    assert service.cache.memory.get(content.id) is None, "queued"
    await service.finish(content.id)
    await service.cache.invalidate(content.id)
    await service.contents.read("ada", content.id)
    entry = service.cache.memory.get(content.id)
    assert entry is not None
    assert entry.valid_at < entry.expires_at <= entry.valid_at + 5.0


@pytest.mark.parametrize("text", ["word " * 400, "\N{SNOWFLAKE} " * 400, None])
async def test_size_of_a_cached_item_covers_its_bytes_in_memory(service: Service, text: str | None) -> None:
    content = await service.create()
    change = {"$set": {"state": "ready", "text": text, "image": True}}
    await service.database["contents"].update_one({"_id": content.id}, change)
    value = CachedContent("ada", await service.contents.read("ada", content.id))
    encode, decode = service.cache._encode, service.cache._decode
    data, values = encode(value), list[CachedContent | None]()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        values.extend(decode(data) for _ in range(200))
        used = (tracemalloc.get_traced_memory()[0] - before) / len(values)
    finally:
        tracemalloc.stop()
    entry = service.cache.memory.get(content.id)
    assert entry is not None
    assert used <= entry.size - OVERHEAD_BYTES <= 1.5 * used
