"""Query cache: two pods against a simple model, under writes."""

from __future__ import annotations

import asyncio
import random
from functools import partial

import pymongo
import pytest
from redis.asyncio import Redis

from app.connections import open_mongodb
from app.database.query_cache import QueryCache
from app.settings import MongoAuth, MongoSettings
from tests.support.backends import Platform, until

pytestmark = pytest.mark.anyio


class Table:
    """Fake database: rows by owner, and the number of queries."""

    def __init__(self) -> None:
        self.rows: dict[str, list[int]] = {}
        self.queries = 0

    async def query(self, owner: str) -> list[int]:
        self.queries += 1
        rows = list(self.rows.get(owner, ()))
        await asyncio.sleep(0)  # a write may happen between the read and the return
        return rows


def open_cache(redis: Redis) -> QueryCache[list[int]]:
    return QueryCache(redis, "table", list[int])


async def test_query_runs_once_until_its_scope_is_written(redis: Redis) -> None:
    table, cache = Table(), open_cache(redis)
    for _ in range(5):
        assert await cache.fetch("ada", "all", partial(table.query, "ada")) == []
        assert await cache.fetch("eve", "all", partial(table.query, "eve")) == []
    assert table.queries == 2
    table.rows["ada"] = [1]
    await cache.written("ada")
    assert await cache.fetch("ada", "all", partial(table.query, "ada")) == [1]
    assert await cache.fetch("eve", "all", partial(table.query, "eve")) == []
    assert table.queries == 3, "the query of the other scope does not run again"


async def test_write_invalidates_all_queries_of_the_scope(redis: Redis) -> None:
    table, cache = Table(), open_cache(redis)
    queries = ["first", "second", "third"]
    for query in queries:
        await cache.fetch("ada", query, partial(table.query, "ada"))
    table.rows["ada"] = [7]
    await cache.written("ada")
    for query in queries:
        assert await cache.fetch("ada", query, partial(table.query, "ada")) == [7]


async def test_pod_reads_its_own_writes(redis: Redis) -> None:
    table, pods = Table(), [open_cache(redis), open_cache(redis)]
    listeners = [asyncio.create_task(pod.cache.run()) for pod in pods]
    chance = random.Random(7)
    owners = ["ada", "eve", "bob"]

    async def write(pod: QueryCache[list[int]], rounds: int) -> None:
        for number in range(rounds):
            owner = chance.choice(owners)
            table.rows.setdefault(owner, []).append(number)
            min_rows = len(table.rows[owner])
            await pod.written(owner)
            # Concurrent writes may have added rows since.
            seen = await pod.fetch(owner, "all", partial(table.query, owner))
            assert len(seen) >= min_rows, f"{owner}: {len(seen)} of {min_rows} rows"

    async def read(pod: QueryCache[list[int]]) -> None:
        while True:
            owner = chance.choice(owners)
            await pod.fetch(owner, "all", partial(table.query, owner))
            await asyncio.sleep(0)  # a hit in memory does not yield to the event loop

    readers = [asyncio.create_task(read(pod)) for pod in pods]
    try:
        await asyncio.gather(*(write(pod, 60) for pod in pods))
        for reader in readers:
            assert not reader.done()
    finally:
        for task in (*readers, *listeners):
            task.cancel()
        await asyncio.gather(*readers, *listeners, return_exceptions=True)


async def test_write_invalidates_the_results_in_the_other_pod(redis: Redis) -> None:
    table, (one, other) = Table(), (open_cache(redis), open_cache(redis))
    listeners = [asyncio.create_task(pod.cache.run()) for pod in (one, other)]
    try:
        await until(lambda: all(pod.cache._backplane.synced_at > 0 for pod in (one, other)))
        assert await other.fetch("ada", "all", partial(table.query, "ada")) == []
        table.rows["ada"] = [1]
        await one.written("ada")

        async def new() -> bool:
            return await other.fetch("ada", "all", partial(table.query, "ada")) == [1]

        await until(new, seconds=1.5)
    finally:
        for task in listeners:
            task.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)


async def test_expired_caller_does_not_fail_other_waiters(platform: Platform, redis: Redis) -> None:
    """PyMongo stores the deadline in the context of the caller; a shared load must not inherit it."""
    url = f"mongodb://127.0.0.1:{platform.mongodb.port}/"
    cache: QueryCache[int] = QueryCache(redis, "counts", int)
    called = asyncio.Event()
    async with open_mongodb(
        MongoSettings(url, "kingdom", MongoAuth.CERTIFICATE, None), app_name="test"
    ) as database:

        async def query() -> int:
            called.set()
            await until(lambda: left() <= 0)  # the deadline of the first caller has passed
            return await database["absent"].count_documents({"owner": "ada"})

        began = asyncio.get_running_loop().time()

        def left() -> float:
            return began + 0.05 - asyncio.get_running_loop().time()

        with pymongo.timeout(0.05):
            first = asyncio.create_task(cache.fetch("ada", "all", query))
            await called.wait()
        assert await asyncio.gather(first, cache.fetch("ada", "all", query)) == [0, 0]
