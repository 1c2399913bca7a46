from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import Redis

from app.cache import Cache, Loaded
from app.cache import cache as cache_module
from app.cache.memory_layer import OVERHEAD_BYTES, Entry
from tests.support.backends import ROOT, Process, until

pytestmark = pytest.mark.anyio


class Source:
    """A source that counts its calls and returns a configured value."""

    def __init__(self, value: bytes = b"value", fresh: float = 60.0, stale: float = 0.0) -> None:
        self.value = value
        self.fresh = fresh
        self.stale = stale
        self.calls = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> Loaded[bytes]:
        self.calls += 1
        value = self.value
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return Loaded(value, self.fresh, self.stale)


def bare(redis: Redis, blind_seconds: float = 2.0) -> Cache[bytes]:
    return Cache(redis, "test", encode=bytes, decode=bytes, blind_seconds=blind_seconds)


@asynccontextmanager
async def receiving(redis: Redis, blind_seconds: float = 2.0) -> AsyncIterator[Cache[bytes]]:
    async with running(bare(redis, blind_seconds)) as cache:
        yield cache


def targeted(redis: Redis, **options: Any) -> Cache[bytes]:
    """A cache whose invalidations reach only the pods that hold a value."""
    return Cache(redis, "test", encode=bytes, decode=bytes, broadcast=False, **options)


@asynccontextmanager
async def running(cache: Cache[bytes]) -> AsyncIterator[Cache[bytes]]:
    listening = asyncio.create_task(cache.run())
    await until(lambda: cache._backplane.synced_at > 0)
    try:
        yield cache
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_concurrent_readers_of_one_pod_share_one_load(redis: Redis) -> None:
    source = Source()
    async with receiving(redis) as cache:
        values = await asyncio.gather(*(cache.fetch("key", source) for _ in range(1000)))
    assert (set(values), source.calls) == ({b"value"}, 1)


async def test_fresh_entry_is_one_that_a_read_returns_without_a_load(redis: Redis) -> None:
    source = Source(fresh=60.0)
    async with receiving(redis) as cache:
        assert cache.fresh_entry("key") is None
        await cache.fetch("key", source)
        entry, reads = cache.fresh_entry("key"), cache.counts.memory
        assert entry is not None
        assert entry.value == b"value"
        assert cache.fresh_entry("key") is entry
        assert cache.counts.memory == reads + 1
        entry.refresh_at = time.monotonic()
        assert cache.fresh_entry("key") is None, "due for a refresh"
        entry.refresh_at += 60
        await cache.invalidate("key")
        assert cache.fresh_entry("key") is None
    assert source.calls == 1


async def test_reads_of_a_fresh_entry_are_counted_up_to_three(redis: Redis) -> None:
    async with receiving(redis) as cache:
        await cache.fetch("key", Source())
        counts = []
        for _ in range(4):
            found = cache.fresh_entry("key")
            assert found is not None
            counts.append(found.reads)
    assert counts == [1, 2, 3, 3]


async def test_fresh_entry_is_none_without_the_invalidation_channel(redis: Redis) -> None:
    cache = bare(redis, blind_seconds=0.05)
    await cache.fetch("key", Source())
    await until(lambda: cache.fresh_entry("key") is None)


async def test_concurrent_misses_in_two_processes_share_one_load(
    redis: Redis, redis_process: Process
) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.app.cache.source",
        f"redis://127.0.0.1:{redis_process.port}/0",
        "500",
    ]
    herd = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]  # noqa: ASYNC220
    assert [await asyncio.to_thread(process.wait, 30) for process in herd] == [0, 0]
    assert await redis.get("herd:loads") == b"1"


async def test_waiting_pod_is_woken_by_the_end_of_the_load(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source()
    source.gate.clear()

    def no_poll(low: float, high: float) -> float:
        return 60.0

    monkeypatch.setattr(cache_module.random, "uniform", no_poll)
    async with receiving(redis) as one, receiving(redis) as two:
        loading = asyncio.create_task(one.fetch("key", source))
        await until(lambda: source.calls == 1)
        waiting = asyncio.create_task(two.fetch("key", source))
        await until(lambda: "key" in two._loaded_events)
        source.gate.set()
        async with asyncio.timeout(5):
            assert await waiting == b"value"
        await loading
    assert source.calls == 1


async def test_value_is_trusted_for_a_time_without_the_invalidation_channel(redis: Redis) -> None:
    source, cache = Source(), bare(redis, blind_seconds=60.0)
    await cache.fetch("key", source)
    assert await cache.fetch("key", source) == b"value"
    assert (cache.counts.memory, cache.counts.redis) == (1, 0)
    entry(cache).valid_at -= 60.0
    assert await cache.fetch("key", source) == b"value"
    assert (cache.counts.memory, cache.counts.redis) == (1, 1)


async def test_second_pod_reads_from_redis(redis: Redis) -> None:
    source = Source()
    async with receiving(redis) as one, receiving(redis) as two:
        await one.fetch("key", source)
        assert await two.fetch("key", source) == b"value"
    assert source.calls == 1
    assert two.counts.redis == 1


async def test_invalidation_reaches_the_other_pods(redis: Redis) -> None:
    source = Source(b"old")
    async with receiving(redis) as one, receiving(redis) as two:
        await one.fetch("key", source, tags=("owner:ada",))
        await two.fetch("key", source, tags=("owner:ada",))
        source.value = b"new"
        await one.invalidate("owner:ada")
        assert await one.fetch("key", source, tags=("owner:ada",)) == b"new"
        await until(lambda: two.memory.get("key") is None)
        assert await two.fetch("key", source, tags=("owner:ada",)) == b"new"
    assert source.calls == 2


async def test_load_invalidated_meanwhile_is_repeated(redis: Redis) -> None:
    source = Source(b"old")
    async with receiving(redis) as one, receiving(redis) as two:
        source.gate.clear()
        reading = asyncio.create_task(one.fetch("key", source))
        await until(lambda: source.calls == 1)
        source.value = b"new"
        await two.invalidate("key")
        source.gate.set()
        assert await reading == b"new"
        assert await two.fetch("key", source) == b"new"


async def test_cancelled_caller_does_not_cancel_the_load(redis: Redis) -> None:
    source = Source()
    source.gate.clear()
    async with receiving(redis) as cache:
        impatient = asyncio.create_task(cache.fetch("key", source))
        patient = asyncio.create_task(cache.fetch("key", source))
        await until(lambda: source.calls == 1)
        impatient.cancel()
        source.gate.set()
        assert await patient == b"value"
    assert source.calls == 1


async def test_stale_value_is_served_while_one_load_refreshes_it(redis: Redis) -> None:
    source = Source(b"old", fresh=0.01, stale=60.0)
    async with receiving(redis) as cache:
        await cache.fetch("key", source)
        source.value, source.fresh = b"new", 60.0
        await until(lambda: time.monotonic() > entry(cache).stale_at)
        source.gate.clear()
        assert await cache.fetch("key", source) == b"old"
        assert await cache.fetch("key", source) == b"old"
        source.gate.set()
        await until(lambda: entry(cache).value == b"new")
    assert source.calls == 2


async def test_stale_value_is_served_instead_of_an_error(redis: Redis) -> None:
    source = Source(fresh=0.01, stale=60.0)
    async with receiving(redis) as cache:
        await cache.fetch("key", source)
        source.error = OSError("the source is down")
        await until(lambda: time.monotonic() > entry(cache).stale_at)
        for _ in range(3):
            assert await cache.fetch("key", source) == b"value"


async def test_error_is_not_cached_and_the_next_read_loads_again(redis: Redis) -> None:
    source = Source()
    source.error = OSError("down")
    async with receiving(redis) as cache, receiving(redis) as other:
        with pytest.raises(OSError, match="down"):
            await cache.fetch("key", source)
        source.error = None
        assert await other.fetch("key", source) == b"value"


async def test_refresh_times_are_randomized_per_pod(redis: Redis) -> None:
    source = Source(fresh=100.0)
    async with receiving(redis) as one, receiving(redis) as two:
        await one.fetch("key", source)
        await two.fetch("key", source)
        moments = [entry(one).refresh_at - entry(one).valid_at, entry(two).refresh_at - entry(two).valid_at]
    assert all(79 < moment < 95.1 for moment in moments)
    assert moments[0] != moments[1]


async def test_reads_continue_during_and_after_a_redis_outage(redis: Redis, redis_process: Process) -> None:
    source = Source(b"old")
    async with receiving(redis, blind_seconds=0.2) as cache, receiving(redis, blind_seconds=0.2) as other:
        await cache.fetch("key", source)
        await other.fetch("key", source)
        redis_process.kill()
        try:
            source.value = b"new"
            await cache.invalidate("key")  # cannot be published
            assert await cache.fetch("key", source) == b"new"
            await until(lambda: entry(other).valid_at + 0.3 < time.monotonic())
            await until(lambda: other._backplane.synced_at + 0.2 < time.monotonic())
            assert await other.fetch("key", source) == b"new", (
                "values with possibly missed invalidations are not served"
            )
        finally:
            redis_process.start()

        # Redis has the old value in its file, and the invalidation is published only now.
        async def healed() -> bool:
            return await bare(redis).fetch("key", source) == b"new"

        await until(healed)


# redis-py leaves the socket of a subscription that the server cut to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_no_stale_value_outlives_its_bound(redis: Redis, seed: int) -> None:
    """Readers never get a value that was invalidated longer ago than the bound, despite lost connections."""
    chance = random.Random(seed)
    bound = 0.3
    truth: dict[str, int] = dict.fromkeys("abc", 0)
    settled: dict[str, list[tuple[float, int]]] = {key: [(0.0, 0)] for key in "abc"}
    end = time.monotonic() + 2.0
    least_reads = 100  # a minimum for a meaningful result; a busy machine takes longer
    reads = 0

    def going_on() -> bool:
        return time.monotonic() < end or reads < least_reads

    def loader(key: str) -> Callable[[], Awaitable[Loaded[bytes]]]:
        async def load() -> Loaded[bytes]:
            value = truth[key]
            await asyncio.sleep(chance.uniform(0, 0.01))
            if chance.random() < 0.2:
                raise LookupError("the source fails")
            return Loaded(b"%d" % value, fresh=chance.choice([0.02, 30.0]), stale=30.0)

        return load

    async def write(cache: Cache[bytes]) -> None:
        while going_on():
            key = chance.choice("abc")
            truth[key] += 1
            version = truth[key]
            await cache.invalidate(key)
            settled[key].append((time.monotonic(), version))
            await asyncio.sleep(chance.uniform(0, 0.03))

    async def read(cache: Cache[bytes]) -> None:
        nonlocal reads
        while going_on():
            key = chance.choice("abc")
            began = time.monotonic()
            await asyncio.sleep(0)
            try:
                value = int(await cache.fetch(key, loader(key)))
            except LookupError:
                continue
            least = max(version for moment, version in settled[key] if moment <= began - bound - 0.1)
            assert value >= least, f"{key} was {value}, though {least} was settled"
            reads += 1

    async def break_connections() -> None:
        while going_on():
            await asyncio.sleep(chance.uniform(0.1, 0.5))
            await redis.execute_command(
                "CLIENT", "KILL", "TYPE", chance.choice(["pubsub", "normal"]), "SKIPME", "yes"
            )

    async with (
        receiving(redis, bound) as one,
        receiving(redis, bound) as two,
        receiving(redis, bound) as three,
    ):
        caches = [one, two, three]
        work = [*(read(cache) for cache in caches for _ in range(2)), *(write(cache) for cache in caches)]
        await asyncio.gather(*work, break_connections())
    assert reads >= least_reads


def entry(cache: Cache[bytes]) -> Entry[bytes]:
    found = cache.memory.get("key")
    assert found is not None
    return found


async def test_cache_without_memory_needs_no_message_to_serve_what_another_pod_wrote(redis: Redis) -> None:
    first, second = (
        Cache[bytes](redis, "test", encode=bytes, decode=bytes, in_memory=False) for _ in range(2)
    )
    source = Source(b"old")
    for pod in (first, second, first):
        assert await pod.fetch("key", source, ("tag",)) == b"old"
    assert source.calls == 1
    source.value = b"new"
    async with first.writing("tag"):
        pass
    for pod in (second, first):  # neither receives the channel
        assert await pod.fetch("key", source, ("tag",)) == b"new"
    assert (source.calls, len(first.memory), len(second.memory)) == (2, 0, 0)


async def test_invalidation_reaches_only_the_pods_that_hold_the_value(redis: Redis) -> None:
    source, other = Source(b"old"), Source(b"other")
    async with (
        running(targeted(redis)) as writer,
        running(targeted(redis)) as holder,
        running(targeted(redis)) as bystander,
    ):
        received: list[tuple[str, list[str]]] = []
        for name, pod in (("writer", writer), ("holder", holder), ("bystander", bystander)):
            handle = pod._backplane._on_invalidated
            pod._backplane._on_invalidated = lambda message, name=name, handle=handle: (
                received.append((name, message.names)),
                handle(message),
            )[1]
        assert await holder.fetch("key", source, ("tag",)) == b"old"
        assert await bystander.fetch("another", other, ("tag-of-another",)) == b"other"
        assert await holder.fetch("key", source, ("tag",)) == b"old"
        assert holder.counts.memory == 1
        source.value = b"new"
        await writer.invalidate("tag")
        await until(lambda: len(holder.memory) == 0)
        assert await holder.fetch("key", source, ("tag",)) == b"new"
        assert await bystander.fetch("another", other, ("tag-of-another",)) == b"other"
        assert bystander.counts.memory == 1
        # The first invalidation ended the registration; the read after it began another one.
        await writer.invalidate("key")
        await until(lambda: len(holder.memory) == 0)
        await writer.invalidate("key")
    assert received == [("holder", ["tag"]), ("holder", ["key"])]


async def test_value_read_from_redis_is_held_like_a_loaded_one(redis: Redis) -> None:
    source = Source(b"old")
    async with running(targeted(redis)) as first, running(targeted(redis)) as second:
        assert await first.fetch("key", source) == b"old"
        assert await second.fetch("key", source) == b"old"
        assert (source.calls, second.counts.redis, len(second.memory)) == (1, 1, 1)
        source.value = b"new"
        await first.invalidate("key")
        await until(lambda: len(second.memory) == 0)
        assert await second.fetch("key", source) == b"new"


async def test_targeted_cache_holds_a_value_only_while_it_is_registered(redis: Redis) -> None:
    source = Source(fresh=60.0, stale=60.0)
    async with running(targeted(redis, held_seconds=0.05)) as pod:
        await pod.fetch("key", source)
        await until(lambda: pod.memory.get("key") is not None)
        entry = pod.memory.get("key")
        assert entry is not None
        assert entry.expires_at <= entry.valid_at + 0.05
        await until(lambda: time.monotonic() > entry.expires_at)
        await pod.fetch("key", source)
        assert (source.calls, pod.counts.redis) == (1, 1)


async def test_targeted_cache_does_not_hold_a_value_that_redis_did_not_register(
    redis: Redis, redis_process: Process
) -> None:
    source = Source()
    async with running(targeted(redis)) as pod:
        redis_process.kill()
        try:
            assert await pod.fetch("key", source) == b"value"
            assert len(pod.memory) == 0
        finally:
            redis_process.start()


async def test_value_that_is_not_held_is_read_from_redis_each_time(redis: Redis) -> None:
    source = Source(b"held")
    pod = targeted(redis, is_held=b"held".__eq__)
    await pod.fetch("key", source)
    assert len(pod.memory) == 1
    source.value = b"not held"
    await pod.invalidate("key")
    for _ in range(2):
        assert await pod.fetch("key", source) == b"not held"
    assert (source.calls, pod.counts.redis, len(pod.memory)) == (2, 1, 0)


async def test_refresh_with_a_value_that_is_not_held_removes_the_held_one(redis: Redis) -> None:
    source = Source(b"held", fresh=0.001, stale=60.0)
    pod = targeted(redis, is_held=b"held".__eq__)
    await pod.fetch("key", source)
    held = entry(pod)
    source.value = b"not held"
    await until(lambda: time.monotonic() > held.stale_at)
    await pod.fetch("key", source)
    await until(lambda: len(pod.memory) == 0)


def hundredfold(value: bytes) -> int:
    return 100 * len(value)


async def test_memory_is_bounded_by_the_size_of_the_values(redis: Redis) -> None:
    source = Source(bytes(10))
    pod = targeted(redis, size=hundredfold)
    await pod.fetch("key", source)
    assert pod.memory.bytes == 1000 + OVERHEAD_BYTES
    second = targeted(redis, size=hundredfold)
    await second.fetch("key", source)
    assert (source.calls, second.memory.bytes) == (1, 1000 + OVERHEAD_BYTES)


async def test_invalidation_of_everything_reaches_pods_that_hold_other_names(redis: Redis) -> None:
    source = Source()
    async with running(targeted(redis)) as writer, running(targeted(redis)) as holder:
        await holder.fetch("key", source)
        await writer.invalidate("*")
        await until(lambda: len(holder.memory) == 0)


async def test_load_of_a_cache_without_memory_that_a_write_overtakes_is_repeated(redis: Redis) -> None:
    first, second = (
        Cache[bytes](redis, "test", encode=bytes, decode=bytes, in_memory=False) for _ in range(2)
    )
    source = Source(b"old")
    source.gate.clear()
    reading = asyncio.create_task(first.fetch("key", source))
    await until(lambda: source.calls == 1)
    source.value = b"new"
    await second.invalidate("key")
    source.gate.set()
    assert await reading == b"new"


async def test_limits_of_an_entry_are_exclusive(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(cache_module, "time", SimpleNamespace(monotonic=lambda: now))
    source, cache = Source(stale=60.0), bare(redis)
    await cache.fetch("key", source)
    entry(cache).refresh_at = now + 0.001
    await cache.fetch("key", source)
    assert (cache.counts.memory, cache.counts.stale) == (1, 0)
    entry(cache).refresh_at = now
    await cache.fetch("key", source)
    assert (cache.counts.memory, cache.counts.stale) == (1, 1)
    await until(lambda: not cache._loads)
    cache._backplane.synced_at = entry(cache).valid_at = now - 2.0
    before = cache.counts.redis
    await cache.fetch("key", source)
    assert cache.counts.redis == before + 1, "the value is no longer trusted"


@pytest.mark.parametrize(("expires_in", "usable"), [(0.001, True), (0.0, False)])
async def test_expired_value_does_not_replace_an_error(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, expires_in: float, usable: bool
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(cache_module, "time", SimpleNamespace(monotonic=lambda: now))
    cache = bare(redis)
    await cache.fetch("key", Source())
    entry(cache).expires_at = now + expires_in
    assert cache._is_usable_on_error(entry(cache)) is usable


@pytest.mark.parametrize(
    ("synced_at", "now", "trusted"),
    [(0.0, 101.9, True), (0.0, 102.0, False), (150.0, 151.9, True), (150.0, 152.0, False)],
)
def test_entry_is_trusted_until_an_invalidation_could_have_been_missed(
    monkeypatch: pytest.MonkeyPatch, synced_at: float, now: float, trusted: bool
) -> None:
    cache = bare(Redis(), blind_seconds=2.0)
    entry = Entry("key", b"value", size=5, valid_at=100.0, refresh_at=1e3, stale_at=1e3, expires_at=1e3)
    cache.memory.add(entry)
    cache._backplane.synced_at = synced_at
    monkeypatch.setattr(cache_module, "time", SimpleNamespace(monotonic=lambda: now))
    assert cache._is_trusted(entry, now) is trusted
    assert cache._is_usable_on_error(entry) is trusted
    assert (cache.fresh_entry("key") is entry) is trusted


async def test_too_many_unpublished_names_invalidate_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unavailable(*_: object) -> bool:
        return False

    async def never() -> None: ...

    monkeypatch.setattr(cache_module, "_MAX_UNPUBLISHED", 2)
    cache = bare(Redis())
    monkeypatch.setattr(cache, "_publish", unavailable)
    monkeypatch.setattr(cache, "_publish_until_done", never)
    await cache.invalidate("a", "b")
    assert set(cache._unpublished) == {"a", "b"}
    await cache.invalidate("c")
    assert set(cache._unpublished) == {cache_module.EVERYTHING}


async def test_entries_of_every_name_are_invalidated_after_too_many_names(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "_MAX_UNPUBLISHED", 2)
    source = Source()
    async with receiving(redis) as one, receiving(redis) as two:
        await two.fetch("other", source)
        await one.invalidate("a", "b", "c")
        await until(lambda: two.memory.get("other") is None)
        await until(lambda: not one._unpublished)
