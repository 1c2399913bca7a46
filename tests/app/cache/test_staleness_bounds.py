"""What must not be served any more is not, also where Redis, the source or the connection fails just then."""

from __future__ import annotations

import asyncio
import shutil
import time

import pytest
from redis import Redis as Server
from redis.asyncio import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from app.cache import Cache, Loaded
from tests.app.cache.test_cache import Source, bare, entry, hearing
from tests.support.backends import Process, until

pytestmark = pytest.mark.anyio


async def test_a_server_that_has_forgotten_an_invalidation_is_not_believed(
    redis: Redis, redis_process: Process
) -> None:
    """The append-only file of before the invalidation is what the server starts again with."""
    source = Source(b"old")
    log = redis_process.log.parent / "appendonly.aof"
    async with hearing(redis, 0.4) as one, hearing(redis, 0.4) as two:
        await one.fetch("key", source)
        await two.fetch("key", source)
        assert two.counts.redis == 1
        shutil.copy(log, log.with_suffix(".before"))
        source.value = b"new"
        await one.invalidate("key")
        redis_process.kill()
        shutil.copy(log.with_suffix(".before"), log)
        redis_process.start()
        invalidated_at = time.monotonic()
        with Server(port=redis_process.port, retry=Retry(ConstantBackoff(0.05), 100)) as other:
            kept = other.hget("cache:{test}:entry:key", "data")
        assert kept == b"old", "the server has the old entry, and nothing that says it is untrue"
        while time.monotonic() < invalidated_at + 2.0:
            for cache in (one, two):
                began = time.monotonic()
                value = await cache.fetch("key", source)
                assert value == b"new" or began < invalidated_at + 1.0
            await asyncio.sleep(0.01)


async def test_a_renewal_that_was_overtaken_is_kept_nowhere_even_if_redis_dies_then(
    redis: Redis, redis_process: Process
) -> None:
    source = Source(b"old", fresh=0.01, stale=60.0)
    async with hearing(redis) as one, hearing(redis) as two:
        await one.fetch("key", source)

        async def stale() -> bool:
            return await redis.hget("cache:{test}:entry:key", "stale_at") is not None

        await until(stale)
        await asyncio.sleep(0.02)
        source.gate.clear()
        assert await two.fetch("key", source) == b"old"  # and begins to renew it
        await until(lambda: source.calls == 2)
        source.value = b"new"
        await one.invalidate("key")
        await until(lambda: two.memory.get("key") is None)
        redis_process.kill()
        try:
            source.gate.set()
            await until(lambda: not two._aloft)
            assert two.memory.get("key") is None
            assert await two.fetch("key", source) == b"new"
        finally:
            redis_process.start()


async def test_an_error_does_not_bring_back_what_may_have_been_invalidated_unheard(redis: Redis) -> None:
    source = Source(fresh=0.01, stale=60.0)
    cache = bare(redis, blind_seconds=0.2)  # hears nothing
    await cache.fetch("key", source)
    source.error = OSError("down")
    await redis.flushall()
    assert await cache.fetch("key", source) == b"value"
    await until(lambda: time.monotonic() > entry(cache).true_at + 0.2)
    with pytest.raises(OSError, match="down"):
        await cache.fetch("key", source)


async def test_nobody_joins_a_load_that_began_longer_ago_than_the_bound(
    redis: Redis, redis_process: Process
) -> None:
    source = Source(b"old")
    cache = bare(redis, blind_seconds=0.1)
    redis_process.kill()
    try:
        source.gate.clear()
        first = asyncio.create_task(cache.fetch("key", source))
        await until(lambda: source.calls == 1)
        began = time.monotonic()
        source.value = b"new"  # and invalidated by a pod that this one cannot hear
        await until(lambda: time.monotonic() > began + 0.15)
        late = asyncio.create_task(cache.fetch("key", source))
        await asyncio.sleep(0)
        source.gate.set()
        assert (await first, await late) == (b"old", b"new")
    finally:
        redis_process.start()


async def test_a_source_that_is_down_is_not_asked_by_every_reader(redis: Redis) -> None:
    source = Source(fresh=0.01, stale=60.0)
    async with hearing(redis) as cache:
        await cache.fetch("key", source)
        source.error = OSError("down")
        await until(lambda: time.monotonic() > entry(cache).stale_at)
        for _ in range(200):
            assert await cache.fetch("key", source) == b"value"
            await asyncio.sleep(0)
            await until(lambda: not cache._aloft)
    assert source.calls == 2


async def test_a_caller_that_has_no_more_time_leaves_and_the_load_is_completed_for_the_next(
    redis: Redis,
) -> None:
    source = Source()
    source.gate.clear()
    async with hearing(redis) as cache:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await cache.fetch("key", source)
        source.gate.set()
        await until(lambda: cache.memory.get("key") is not None)
        assert await cache.fetch("key", source) == b"value"
    assert source.calls == 1


async def test_a_load_that_takes_too_long_is_ended_and_the_next_may_try(redis: Redis) -> None:
    source = Source()
    source.gate.clear()
    cache: Cache[bytes] = Cache(redis, "test", encode=bytes, decode=bytes, load_seconds=0.05)
    with pytest.raises(TimeoutError):
        await cache.fetch("key", source)
    source.gate.set()
    assert await cache.fetch("key", source) == b"value"


async def test_the_task_of_a_pod_that_died_loading_passes_to_another(redis: Redis) -> None:
    source = Source()
    await redis.set("cache:{test}:lock:key", "a pod that is no more", px=200)
    began = time.monotonic()
    async with hearing(redis) as cache:
        assert await cache.fetch("key", source) == b"value"
    assert time.monotonic() - began < 2.0


async def test_those_who_wait_for_another_pod_are_told_and_hardly_ask(redis: Redis) -> None:
    source = Source()
    source.gate.clear()
    async with hearing(redis) as one, hearing(redis) as two:
        loading = asyncio.create_task(one.fetch("key", source))
        await until(lambda: source.calls == 1)
        waiting = [asyncio.create_task(two.fetch("key", source)) for _ in range(500)]
        await asyncio.sleep(0.05)
        before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
        await asyncio.sleep(0.4)
        after = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
        assert after - before < 12, "one of the five hundred looks now and then, should the pod have died"
        source.gate.set()
        assert set(await asyncio.gather(loading, *waiting)) == {b"value"}
    assert source.calls == 1


async def test_nothing_is_kept_longer_than_what_tells_that_it_is_untrue(redis: Redis) -> None:
    source = Source(fresh=10 * 24 * 3600.0, stale=10 * 24 * 3600.0)
    async with hearing(redis) as cache:
        await cache.fetch("key", source)
        await cache.invalidate("other")
        kept = await redis.ttl("cache:{test}:entry:key")
        assert kept < await redis.ttl("cache:{test}:version:other")


async def test_that_there_is_nothing_is_kept_too(redis: Redis) -> None:
    calls = 0

    async def nothing() -> Loaded[bytes | None]:
        nonlocal calls
        calls += 1
        return Loaded(None, fresh=60.0)

    def encode(value: bytes | None) -> bytes:
        return b"" if value is None else b"=" + value

    def decode(data: bytes) -> bytes | None:
        return data[1:] if data else None

    one: Cache[bytes | None] = Cache(redis, "none", encode=encode, decode=decode)
    two: Cache[bytes | None] = Cache(redis, "none", encode=encode, decode=decode)
    assert [await one.fetch("key", nothing), await one.fetch("key", nothing)] == [None, None]
    assert await two.fetch("key", nothing) is None
    assert calls == 1
