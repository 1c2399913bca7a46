"""Bounds on stale values, under failures of Redis, pods and messages."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable

import pytest
from redis import ConnectionError as ConnectionLostError
from redis import Redis as Server
from redis.asyncio import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import OutOfMemoryError
from redis.retry import Retry

from app.cache import Cache, Loaded
from tests.app.cache.test_cache import Source, bare, entry, receiving, running, targeted
from tests.app.conftest import filled
from tests.support.backends import Process, until

pytestmark = pytest.mark.anyio


async def test_entries_of_a_server_that_lost_an_invalidation_are_dropped(
    redis: Redis, redis_process: Process
) -> None:
    """The server starts again with the append-only file from before the invalidation."""
    source = Source(b"old")
    log = redis_process.log.parent / "appendonly.aof"
    async with receiving(redis, 0.4) as one, receiving(redis, 0.4) as two:
        await one.fetch("key", source)
        await two.fetch("key", source)
        assert two.counts.redis == 1
        # While an fsync is in progress, Redis delays writes to the file by up to two seconds.
        await until(lambda: b"cache:{test}:entry:key" in log.read_bytes())
        shutil.copy(log, log.with_suffix(".before"))
        source.value = b"new"
        await one.invalidate("key")
        redis_process.kill()
        shutil.copy(log.with_suffix(".before"), log)
        redis_process.start()
        invalidated_at = time.monotonic()
        with Server(port=redis_process.port, retry=Retry(ConstantBackoff(0.05), 100)) as other:
            stored = other.hget("cache:{test}:entry:key", "data")
        assert stored == b"old", "the server has the old entry, and no record of its invalidation"
        while time.monotonic() < invalidated_at + 2.0:
            for cache in (one, two):
                began = time.monotonic()
                value = await cache.fetch("key", source)
                assert value == b"new" or began < invalidated_at + 1.0
            await asyncio.sleep(0.01)


async def test_refresh_invalidated_during_its_load_is_not_stored_even_if_redis_crashes(
    redis: Redis, redis_process: Process
) -> None:
    source = Source(b"old", fresh=0.01, stale=60.0)
    async with receiving(redis) as one, receiving(redis) as two:
        await one.fetch("key", source)

        async def stale() -> bool:
            return await redis.hget("cache:{test}:entry:key", "stale_at") is not None

        await until(stale)
        await asyncio.sleep(0.02)
        source.gate.clear()
        assert await two.fetch("key", source) == b"old"  # starts a background refresh
        await until(lambda: source.calls == 2)
        source.value = b"new"
        await one.invalidate("key")
        await until(lambda: two.memory.get("key") is None)
        redis_process.kill()
        try:
            source.gate.set()
            await until(lambda: not two._loads)
            assert two.memory.get("key") is None
            assert await two.fetch("key", source) == b"new"
        finally:
            redis_process.start()


async def test_error_does_not_serve_values_with_possibly_missed_invalidations(redis: Redis) -> None:
    source = Source(fresh=0.01, stale=60.0)
    cache = bare(redis, blind_seconds=0.2)  # receives no invalidations
    await cache.fetch("key", source)
    source.error = OSError("down")
    await redis.flushall()
    assert await cache.fetch("key", source) == b"value"
    await until(lambda: time.monotonic() > entry(cache).valid_at + 0.2)
    with pytest.raises(OSError, match="down"):
        await cache.fetch("key", source)


async def test_readers_do_not_join_a_load_older_than_the_bound(redis: Redis, redis_process: Process) -> None:
    source = Source(b"old")
    cache = bare(redis, blind_seconds=0.1)
    redis_process.kill()
    try:
        source.gate.clear()
        first = asyncio.create_task(cache.fetch("key", source))
        await until(lambda: source.calls == 1)
        began = time.monotonic()
        source.value = b"new"  # and invalidated by a pod whose messages do not arrive here
        await until(lambda: time.monotonic() > began + 0.15)
        late = asyncio.create_task(cache.fetch("key", source))
        await asyncio.sleep(0)
        source.gate.set()
        assert (await first, await late) == (b"old", b"new")
    finally:
        redis_process.start()


async def test_failed_source_is_not_called_by_every_reader(redis: Redis) -> None:
    source = Source(fresh=0.01, stale=60.0)
    async with receiving(redis) as cache:
        await cache.fetch("key", source)
        source.error = OSError("down")
        await until(lambda: time.monotonic() > entry(cache).stale_at)
        began = time.monotonic()
        for _ in range(200):
            assert await cache.fetch("key", source) == b"value"
            await asyncio.sleep(0)
            await until(lambda: not cache._loads)
        elapsed = time.monotonic() - began
    # A failed source is called again after half a second at the earliest.
    assert 2 <= source.calls <= 2 + elapsed / 0.5


async def test_expired_caller_leaves_while_the_load_completes(
    redis: Redis,
) -> None:
    source = Source()
    source.gate.clear()
    async with receiving(redis) as cache:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await cache.fetch("key", source)
        source.gate.set()
        await until(lambda: cache.memory.get("key") is not None)
        assert await cache.fetch("key", source) == b"value"
    assert source.calls == 1


async def test_load_over_its_time_limit_is_cancelled_and_retried(redis: Redis) -> None:
    source = Source()
    source.gate.clear()
    cache: Cache[bytes] = Cache(redis, "test", encode=bytes, decode=bytes, load_seconds=0.05)
    with pytest.raises(TimeoutError):
        await cache.fetch("key", source)
    source.gate.set()
    assert await cache.fetch("key", source) == b"value"


async def test_load_lock_of_a_dead_pod_expires(redis: Redis) -> None:
    source = Source()
    await redis.set("cache:{test}:lock:key", "a pod that is no more", px=200)
    began = time.monotonic()
    async with receiving(redis) as cache:
        assert await cache.fetch("key", source) == b"value"
    assert time.monotonic() - began < 2.0


async def test_pods_waiting_for_a_load_are_notified_and_rarely_poll(redis: Redis) -> None:
    source = Source()
    source.gate.clear()
    async with receiving(redis) as one, receiving(redis) as two:
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


async def test_entries_expire_before_their_version_counters(redis: Redis) -> None:
    source = Source(fresh=10 * 24 * 3600.0, stale=10 * 24 * 3600.0)
    async with receiving(redis) as cache:
        await cache.fetch("key", source)
        await cache.invalidate("other")
        stored = await redis.ttl("cache:{test}:entry:key")
        assert stored < await redis.ttl("cache:{test}:version:other")


async def test_absent_values_are_cached(redis: Redis) -> None:
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


class UnreliablePublication:
    """Wraps the publication of a cache: each call is delayed, and may fail before or after its effect."""

    def __init__(self, cache: Cache[bytes], seed: int) -> None:
        self._publish = cache._redis_layer.publish_invalidation
        self._random = random.Random(seed)
        self.reliable = False
        cache._redis_layer.publish_invalidation = self  # type: ignore[method-assign]

    async def __call__(self, names: Iterable[str], *, wait: bool = False) -> None:
        names = list(names)
        if self.reliable:
            await self._publish(names, wait=wait)
            return
        await self._delay()
        if self._random.random() < 0.3:
            raise ConnectionLostError("before it took effect")
        await self._publish(names, wait=True)
        await self._delay()
        if self._random.random() < 0.2:
            raise ConnectionLostError("after it took effect")

    async def _delay(self) -> None:
        await asyncio.sleep(self._random.choice((0.0, 0.0, 0.001, 0.004)))


@pytest.mark.parametrize("seed", range(6))
async def test_no_interleaving_of_writes_reads_and_publications_serves_a_stale_value(
    redis: Redis, seed: int
) -> None:
    """The guarantee of ``app.cache.cache``.

    The invalidating pod never reads the old value again. Other pods do not after all publications.
    """
    order = random.Random(seed)
    written = {f"key{number}": 0 for number in range(4)}
    called = dict(written)

    def source(key: str) -> Callable[[], Awaitable[Loaded[bytes]]]:
        async def load() -> Loaded[bytes]:
            value = written[key]
            await asyncio.sleep(order.choice((0.0, 0.001, 0.003)))
            return Loaded(b"%d" % value, fresh=60.0)

        return load

    async with receiving(redis) as one, receiving(redis) as two:
        publication = UnreliablePublication(one, seed)

        async def invalidate(key: str, version: int) -> None:
            # No await in between: from the start of the call, this pod must not serve the old value.
            called[key] = max(called[key], version)
            await one.invalidate(key)

        async def write() -> None:
            for _ in range(40):
                key = order.choice(list(written))
                written[key] += 1
                call = asyncio.create_task(invalidate(key, written[key]))
                if order.random() < 0.2:
                    await asyncio.sleep(0)
                    call.cancel()  # as when a client disconnects
                    await asyncio.gather(call, return_exceptions=True)
                elif order.random() < 0.7:
                    await call
                await asyncio.sleep(order.choice((0.0, 0.001, 0.002)))

        async def read(cache: Cache[bytes], bound: bool) -> None:
            for _ in range(150):
                key = order.choice(list(written))
                await asyncio.sleep(0)
                began = called[key]
                value = int(await cache.fetch(key, source(key)))
                assert not bound or value >= began
                await asyncio.sleep(order.choice((0.0, 0.001)))

        writers = [write() for _ in range(3)]
        readers = [read(one, True) for _ in range(3)] + [read(two, False) for _ in range(3)]
        await asyncio.gather(*writers, *readers)
        publication.reliable = True
        await until(lambda: not one._unpublished)

        async def converged() -> bool:
            values = [int(await cache.fetch(key, source(key))) for cache in (one, two) for key in written]
            return values == [*written.values(), *written.values()]

        await until(converged, 2.0)


async def test_names_added_during_a_publication_are_published_too(redis: Redis) -> None:
    source = Source(b"old")
    async with receiving(redis) as one, receiving(redis) as two:
        await one.fetch("second", source)
        await two.fetch("second", source)
        publish_invalidation, gate, begun = (
            one._redis_layer.publish_invalidation,
            asyncio.Event(),
            asyncio.Event(),
        )
        fail = True

        async def gated(names: Iterable[str], *, wait: bool = False) -> None:
            if fail:
                raise ConnectionLostError("unavailable")
            names = list(names)
            begun.set()
            await gate.wait()
            await publish_invalidation(names, wait=True)

        one._redis_layer.publish_invalidation = gated  # type: ignore[method-assign]
        await one.invalidate("first")
        fail = False
        await begun.wait()  # the publication of the first name is in progress
        fail = True
        source.value = b"new"
        await one.invalidate("second")
        fail = False
        gate.set()
        await until(lambda: not one._unpublished)
        assert await one.fetch("second", source) == b"new"
        await until(lambda: two.memory.get("second") is None)
        assert await two.fetch("second", source) == b"new"


async def test_unpublished_invalidation_bypasses_redis(redis: Redis, redis_process: Process) -> None:
    source = Source(b"old")
    async with receiving(redis) as one, receiving(redis) as two:
        await one.fetch("key", source)
        await two.fetch("key", source)
        publish_invalidation = one._redis_layer.publish_invalidation

        async def unavailable(names: Iterable[str], *, wait: bool = False) -> None:
            raise ConnectionLostError("unavailable")

        one._redis_layer.publish_invalidation = unavailable  # type: ignore[method-assign]
        source.value = b"new"
        await one.invalidate("key")
        assert await two.fetch("key", source) == b"old", "Redis has the old value still"
        for _ in range(20):
            assert await one.fetch("key", source) == b"new"
            await asyncio.sleep(0.01)
        one._redis_layer.publish_invalidation = publish_invalidation  # type: ignore[method-assign]
        await until(lambda: two.memory.get("key") is None)
        assert await two.fetch("key", source) == b"new"


async def test_evicted_counter_does_not_validate_old_entries(redis: Redis) -> None:
    """``volatile-lru`` may evict the counters, which have a lifetime, while an old entry stays."""
    source = Source(b"old")
    async with receiving(redis) as one:
        await one.fetch("key", source)
        saved = await redis.dump("cache:{test}:entry:key")
        assert saved is not None
        for _ in range(2):
            source.value = b"new"
            await one.invalidate("key")
            # Redis has the entry from before the invalidation, and has evicted the counters.
            await redis.restore("cache:{test}:entry:key", 60_000, saved, replace=True)
            for counter in await redis.keys("cache:{test}:version:*"):
                await redis.delete(counter)
            other = bare(redis)
            assert await other.fetch("key", source) == b"new"


async def test_load_invalidated_with_a_missing_counter_is_not_stored(
    redis: Redis,
) -> None:
    source = Source(b"old")
    async with receiving(redis) as one, receiving(redis) as two:
        source.gate.clear()
        loading = asyncio.create_task(one.fetch("key", source))
        await until(lambda: source.calls == 1)
        source.value = b"new"
        await two.invalidate("key")
        source.gate.set()
        await loading
        assert await bare(redis).fetch("key", source) == b"new"


async def test_counter_evicted_during_a_load_does_not_hide_an_invalidation(redis: Redis) -> None:
    source = Source(b"old")
    cache = bare(redis)  # receives no invalidations
    source.gate.clear()
    loading = asyncio.create_task(cache.fetch("key", source))
    await until(lambda: source.calls == 1)
    source.value = b"new"
    await bare(redis).invalidate("key")
    for counter in await redis.keys("cache:{test}:version:*"):
        await redis.delete(counter)
    source.gate.set()
    await loading
    assert await bare(redis).fetch("key", source) == b"new"


async def test_evicted_identity_of_a_server_that_lost_an_invalidation_clears_the_cache(redis: Redis) -> None:
    """The identity is read on connects only, so ``volatile-lru`` evicts it before the entries."""
    source = Source(b"old")
    async with receiving(redis) as one:
        await one.fetch("key", source)
    # The server was replaced by one without the invalidation, and evicted the identity.
    source.value = b"new"
    assert await redis.delete("cache:{test}:server") == 1
    async with receiving(redis) as two:
        assert await two.fetch("key", source) == b"new"


async def test_invalidations_are_published_while_redis_is_full(redis: Redis) -> None:
    """Jobs have no lifetime: a full queue leaves nothing to evict, and Redis refuses every write."""
    source = Source(b"old")
    async with receiving(redis) as one, receiving(redis) as two:
        for cache in (one, two):
            await cache.fetch("key", source)
        async with filled(redis):
            with pytest.raises(OutOfMemoryError):
                await redis.set("more", b"")
            source.value = b"new"
            await one.invalidate("key")
            assert not one._unpublished
            await until(lambda: two.memory.get("key") is None)
            assert await two.fetch("key", source) == b"new"
            assert await bare(redis).fetch("key", source) == b"new"


async def test_pods_whose_registration_was_evicted_serve_a_value_within_the_bound(redis: Redis) -> None:
    source = Source(b"old")
    async with running(targeted(redis)) as one, running(targeted(redis, held_seconds=0.5)) as two:
        await two.fetch("key", source)
        async with filled(redis):
            assert not await redis.keys("cache:{test}:holders:*")
            source.value = b"new"
            await one.invalidate("key")
            invalidated_at = time.monotonic()
            assert not one._unpublished

            async def fresh() -> bool:
                return await two.fetch("key", source) == b"new"

            await until(fresh, 2.0)
            assert time.monotonic() < invalidated_at + 1.0


async def test_pods_subscribe_to_a_full_redis(redis: Redis) -> None:
    async with filled(redis), receiving(redis) as cache:
        assert cache.receives_invalidations


@pytest.mark.slow
@pytest.mark.parametrize("broadcast", [True, False])
async def test_evictions_serve_no_value_beyond_the_bound(redis: Redis, broadcast: bool) -> None:
    """Two pods write and read while Redis evicts counters, entries, locks and registrations at random."""
    bound_seconds = 0.5
    versions = {f"key{number}": 0 for number in range(20)}
    written_at: dict[tuple[str, int], float] = {}
    order = random.Random(1)

    def source(key: str) -> Callable[[], Awaitable[Loaded[bytes]]]:
        async def load() -> Loaded[bytes]:
            version = versions[key]
            await asyncio.sleep(order.choice((0.0, 0.002)))
            return Loaded(b"%d" % version, fresh=60.0)

        return load

    def cache() -> Cache[bytes]:
        return bare(redis) if broadcast else targeted(redis, held_seconds=bound_seconds)

    async with running(cache()) as one, running(cache()) as two, filled(redis, evictable=True):
        await redis.config_set("maxmemory-policy", "volatile-random")
        evicted = (await redis.info("stats"))["evicted_keys"]
        ends = time.monotonic() + 6.0
        while time.monotonic() < ends:
            with contextlib.suppress(OutOfMemoryError):
                await redis.set(f"other:{order.randrange(10_000)}", b"x" * order.randrange(20_000), ex=600)
            key = order.choice(list(versions))
            if order.random() < 0.1:
                versions[key] += 1
                await order.choice((one, two)).invalidate(key)
                written_at[key, versions[key]] = time.monotonic()
            began = time.monotonic()
            version = int(await order.choice((one, two)).fetch(key, source(key)))
            if version < versions[key]:
                assert began < written_at[key, version + 1] + bound_seconds
        assert (await redis.info("stats"))["evicted_keys"] > evicted + 100
