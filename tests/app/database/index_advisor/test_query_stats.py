"""Query statistics: recorded by shape, limited in number, and added up in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from redis.asyncio import Redis

from app.database.index_advisor import query_stats
from app.database.index_advisor.query_stats import QueryRecorder, QueryStats, load_stats

pytestmark = pytest.mark.anyio


def find(field: str, collection: str = "things") -> dict[str, Any]:
    return {"find": collection, "filter": {field: 1}}


class Unavailable:
    """A Redis that refuses connections."""

    async def hlen(self, name: str) -> int:
        raise ConnectionRefusedError


async def test_queries_of_one_shape_are_added_up() -> None:
    recorder = QueryRecorder(slow=10)
    recorder.finished(find("a"), 0.2)
    recorder.finished({**find("a"), "filter": {"a": 2}}, 0.4)
    recorder.finished(find("b"), 1.0)
    first, second = recorder.stats.values()
    assert (first.count, first.mean) == (2, pytest.approx(0.3))
    assert second == QueryStats(1, 1.0)
    assert QueryStats().mean == 0.0


async def test_number_of_shapes_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_stats, "_MAX_SHAPES", 2)
    recorder = QueryRecorder(slow=10)
    for field in "abca":
        recorder.finished(find(field), 0.1)
    assert [entry.count for entry in recorder.stats.values()] == [2, 1]


@pytest.mark.parametrize(("seconds", "slow"), [(0.099, 0), (0.1, 1), (5, 1)])
async def test_slow_queries_are_counted_by_collection(seconds: float, slow: int) -> None:
    recorder = QueryRecorder(slow=0.1)
    recorder.finished(find("a"), seconds)
    assert recorder.slow_counts.get("things", 0) == slow
    [metric] = recorder.collect()
    assert [sample.value for sample in metric.samples] == [slow] * slow


async def test_slow_queries_of_one_shape_are_explained_once(redis: Redis) -> None:
    explained: list[Mapping[str, Any]] = []
    done = asyncio.Event()

    async def explain(command: Mapping[str, Any]) -> str:
        explained.append(command)
        if command["find"] == "last":
            done.set()
        return "COLLSCAN"

    recorder = QueryRecorder(slow=0, explain=explain)
    for _ in range(2):
        recorder.finished(find("a"), 1)
    recorder.finished(find("a", "last"), 1)
    task = asyncio.create_task(recorder.run(redis))
    async with asyncio.timeout(10):
        await done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [command["find"] for command in explained] == ["things", "last"]
    assert "COLLSCAN" in recorder.plans.values()


async def test_statistics_of_all_pods_are_added_up(redis: Redis) -> None:
    one, other = QueryRecorder(slow=10), QueryRecorder(slow=10)
    for recorder in (one, other):
        recorder.finished(find("a"), 0.25)
        await recorder.flush_stats(redis)
        await recorder.flush_stats(redis)
    assert list((await load_stats(redis)).values()) == [QueryStats(2, 0.5)]
    assert 0 < await redis.ttl("database:{queries}:count") <= 7 * 24 * 3600


async def test_statistics_are_retained_until_redis_is_available(redis: Redis) -> None:
    recorder, unavailable = QueryRecorder(slow=10), Unavailable()
    recorder.finished(find("a"), 0.25)
    with pytest.raises(ConnectionRefusedError):
        await recorder.flush_stats(unavailable)  # type: ignore
    recorder.finished(find("a"), 0.25)
    await recorder.flush_stats(redis)
    assert list((await load_stats(redis)).values()) == [QueryStats(2, 0.5)]


async def test_stored_shapes_are_limited_and_foreign_ones_skipped(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_stats, "_MAX_STORED_SHAPES", 1)
    for field in "ab":
        recorder = QueryRecorder(slow=10)
        recorder.finished(find(field), 0.5)
        await recorder.flush_stats(redis)
    client: Any = redis
    await client.hset("database:{queries}:count", "not a shape", 7)
    [stats] = (await load_stats(redis)).values()
    assert stats == QueryStats(1, 0.5)
