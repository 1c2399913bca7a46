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
    """What a database would be: rows by owner, and how often it was asked."""

    def __init__(self) -> None:
        self.rows: dict[str, list[int]] = {}
        self.asked = 0

    async def ask(self, owner: str) -> list[int]:
        self.asked += 1
        rows = list(self.rows.get(owner, ()))
        await asyncio.sleep(0)  # a write may come between the read and the response
        return rows


def results(redis: Redis) -> QueryCache[list[int]]:
    return QueryCache(redis, "table", list[int])


async def test_a_question_is_asked_once_until_its_scope_is_written(redis: Redis) -> None:
    table, kept = Table(), results(redis)
    for _ in range(5):
        assert await kept.fetch("ada", "all", partial(table.ask, "ada")) == []
        assert await kept.fetch("eve", "all", partial(table.ask, "eve")) == []
    assert table.asked == 2
    table.rows["ada"] = [1]
    await kept.written("ada")
    assert await kept.fetch("ada", "all", partial(table.ask, "ada")) == [1]
    assert await kept.fetch("eve", "all", partial(table.ask, "eve")) == []
    assert table.asked == 3, "the other scope is not asked again"


async def test_every_question_of_a_scope_is_asked_again_after_a_write(redis: Redis) -> None:
    table, kept = Table(), results(redis)
    questions = ["first", "second", "third"]
    for question in questions:
        await kept.fetch("ada", question, partial(table.ask, "ada"))
    table.rows["ada"] = [7]
    await kept.written("ada")
    for question in questions:
        assert await kept.fetch("ada", question, partial(table.ask, "ada")) == [7]


async def test_what_a_pod_has_written_it_never_misses_whoever_else_reads(redis: Redis) -> None:
    table, pods = Table(), [results(redis), results(redis)]
    hearing = [asyncio.create_task(pod.cache.run()) for pod in pods]
    chance = random.Random(7)
    owners = ["ada", "eve", "bob"]

    async def write(pod: QueryCache[list[int]], rounds: int) -> None:
        for number in range(rounds):
            owner = chance.choice(owners)
            table.rows.setdefault(owner, []).append(number)
            least = len(table.rows[owner])
            await pod.written(owner)
            # Others may have written since: never fewer rows than at that moment.
            seen = await pod.fetch(owner, "all", partial(table.ask, owner))
            assert len(seen) >= least, f"{owner}: {len(seen)} of {least} rows"

    async def read(pod: QueryCache[list[int]]) -> None:
        while True:
            owner = chance.choice(owners)
            await pod.fetch(owner, "all", partial(table.ask, owner))
            await asyncio.sleep(0)  # what is in memory is answered without a turn for anybody else

    readers = [asyncio.create_task(read(pod)) for pod in pods]
    try:
        await asyncio.gather(*(write(pod, 60) for pod in pods))
        for reader in readers:
            assert not reader.done()
    finally:
        for task in (*readers, *hearing):
            task.cancel()
        await asyncio.gather(*readers, *hearing, return_exceptions=True)


async def test_the_other_pod_hears_of_a_write(redis: Redis) -> None:
    table, (one, other) = Table(), (results(redis), results(redis))
    hearing = [asyncio.create_task(pod.cache.run()) for pod in (one, other)]
    try:
        await until(lambda: all(pod.cache._backplane.synced_at > 0 for pod in (one, other)))
        assert await other.fetch("ada", "all", partial(table.ask, "ada")) == []
        table.rows["ada"] = [1]
        await one.written("ada")

        async def new() -> bool:
            return await other.fetch("ada", "all", partial(table.ask, "ada")) == [1]

        await until(new, seconds=1.5)
    finally:
        for task in hearing:
            task.cancel()
        await asyncio.gather(*hearing, return_exceptions=True)


async def test_who_has_no_time_left_spoils_nothing_for_those_who_wait(
    platform: Platform, redis: Redis
) -> None:
    """PyMongo carries a request's deadline in its context; a load that others wait for must not have it."""
    url = f"mongodb://127.0.0.1:{platform.mongodb.port}/"
    kept: QueryCache[int] = QueryCache(redis, "counts", int)
    asked = asyncio.Event()
    async with open_mongodb(
        MongoSettings(url, "kingdom", MongoAuth.CERTIFICATE, None), app_name="test"
    ) as database:

        async def ask() -> int:
            asked.set()
            await until(lambda: left() <= 0)  # the first one's time is over
            return await database["absent"].count_documents({"owner": "ada"})

        began = asyncio.get_running_loop().time()

        def left() -> float:
            return began + 0.05 - asyncio.get_running_loop().time()

        with pymongo.timeout(0.05):
            first = asyncio.create_task(kept.fetch("ada", "all", ask))
            await asked.wait()
        assert await asyncio.gather(first, kept.fetch("ada", "all", ask)) == [0, 0]
