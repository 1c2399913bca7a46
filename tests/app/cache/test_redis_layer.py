"""Redis layer: load locks, version counters, lifetimes, and no errors during outages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from app.cache.redis_layer import EVERYTHING, RedisLayer
from app.connections import open_redis
from app.settings import RedisSettings
from tests.support.backends import free_port, until

pytestmark = pytest.mark.anyio

NAMES = (EVERYTHING, "key", "tag")


def layer(redis: Redis, load_seconds: float = 5.0) -> RedisLayer:
    return RedisLayer(redis, "test", load_seconds=load_seconds)


async def stored(pod: RedisLayer, *, fresh: float = 60.0, expires: float = 120.0) -> None:
    found = await pod.read("key", NAMES, 0.0)
    assert found is not None
    assert found.load
    assert await pod.fill("key", NAMES, found.versions, b"value", fresh, expires)


async def test_one_pod_loads_and_the_others_read_its_value(redis: Redis) -> None:
    first, second = layer(redis), layer(redis)
    found = await first.read("key", NAMES, 0.0)
    waiting = await second.read("key", NAMES, 0.0)
    assert found is not None
    assert waiting is not None
    assert (found.load, waiting.load, waiting.data) == (True, False, None)
    assert await first.fill("key", NAMES, found.versions, b"value", 60.0, 120.0)
    hit = await second.read("key", NAMES, 0.0)
    assert hit is not None
    assert (hit.data, hit.load) == (b"value", False)
    assert 59 < hit.fresh <= 60
    assert 119 < hit.expires <= 120


async def test_released_lock_lets_another_pod_load(redis: Redis) -> None:
    first, second = layer(redis), layer(redis)
    await first.read("key", NAMES, 0.0)
    await first.release("key", NAMES)
    found = await second.read("key", NAMES, 0.0)
    assert found is not None
    assert found.load


async def test_lock_of_another_pod_is_not_released(redis: Redis) -> None:
    first, second = layer(redis), layer(redis)
    await first.read("key", NAMES, 0.0)
    await second.release("key", NAMES)
    found = await second.read("key", NAMES, 0.0)
    assert found is not None
    assert not found.load


@pytest.mark.parametrize("name", NAMES)
async def test_value_is_invalid_after_an_invalidation_of_any_of_its_names(redis: Redis, name: str) -> None:
    pod = layer(redis)
    await stored(pod)
    await pod.publish_invalidation([name])
    found = await pod.read("key", NAMES, 0.0)
    assert found is not None
    assert (found.data, found.load) == (None, True)


async def test_value_invalidated_during_its_load_is_not_stored(redis: Redis) -> None:
    pod = layer(redis)
    found = await pod.read("key", NAMES, 0.0)
    assert found is not None
    await pod.publish_invalidation(["tag"])
    assert await pod.fill("key", NAMES, found.versions, b"old", 60.0, 120.0) is False
    again = await pod.read("key", NAMES, 0.0)
    assert again is not None
    assert again.data is None


async def test_lock_is_acquired_early_for_a_value_about_to_become_stale(redis: Redis) -> None:
    pod = layer(redis)
    await stored(pod, fresh=10.0)
    for early, load in ((5.0, False), (20.0, True)):
        found = await pod.read("key", NAMES, early)
        assert found is not None
        assert (found.data, found.load) == (b"value", load)


async def test_changed_server_invalidates_everything_once(redis: Redis) -> None:
    pod = layer(redis)
    assert await pod.check_server("first"), "the server that stored the entries is not known"
    await stored(pod)
    assert not await pod.check_server("first")
    assert await pod.check_server("second")
    assert not await pod.check_server("second")
    found = await pod.read("key", NAMES, 0.0)
    assert found is not None
    assert found.data is None


async def test_outage_is_reported_without_an_error_and_pauses_calls() -> None:
    settings = RedisSettings(f"redis://127.0.0.1:{free_port()}/0", None, None)
    async with open_redis(settings) as unavailable:
        pod = layer(unavailable)
        assert await pod.read("key", NAMES, 0.0) is None
        assert await pod.fill("key", NAMES, b"versions", b"value", 1.0, 1.0) is None
        await pod.release("key", NAMES)
        with pytest.raises(RedisConnectionError, match="within the last second"):
            await pod.publish_invalidation(["key"])


async def test_lock_is_released_in_the_background_after_an_outage(redis: Redis) -> None:
    pod, other = layer(redis), layer(redis)
    await pod.read("key", NAMES, 0.0)
    pod._release_in_background("key", NAMES)

    async def free() -> bool:
        found = await other.read("key", NAMES, 0.0)
        return found is not None and found.load

    await until(free)


@asynccontextmanager
async def messages_of(redis: Redis, pod: RedisLayer) -> AsyncIterator[Callable[[], Awaitable[list[bytes]]]]:
    """Subscribe to the channel of a layer; the function returns the messages received since the last call."""
    async with redis.pubsub() as subscription:
        await subscription.subscribe(pod.channel)
        await subscription.get_message(timeout=5.0)

        async def received() -> list[bytes]:
            await subscription.ping()
            found: list[bytes] = []
            while True:
                message = await subscription.get_message(timeout=5.0)
                assert message is not None
                if message["type"] == "pong":  # everything published before the ping has arrived
                    return found
                found.append(cast(bytes, message["data"]))

        yield received


@pytest.mark.parametrize("waiting", [0, 1, 3])
async def test_end_of_a_load_is_published_once_and_only_if_a_pod_waits(redis: Redis, waiting: int) -> None:
    pod = layer(redis)
    async with messages_of(redis, pod) as received:
        for value in (b"value", b""):  # a stored entry, then a failed load of an invalid one
            found = await pod.read("key", NAMES, 0.0)
            assert found is not None
            assert found.load
            for _ in range(waiting):
                other = await layer(redis).read("key", NAMES, 0.0)
                assert other is not None
                assert not other.load
            if value:
                assert await pod.fill("key", NAMES, found.versions, value, 60.0, 120.0)
            else:
                await pod.release("key", NAMES)
            assert len(await received()) == min(waiting, 1)
            await pod.publish_invalidation(["key"])
            assert len(await received()) == 1


async def test_renewal_of_a_stale_entry_is_not_published_to_its_readers(redis: Redis) -> None:
    pod = layer(redis)
    await stored(pod, fresh=10.0)
    async with messages_of(redis, pod) as received:
        renewing = await pod.read("key", NAMES, 20.0)
        other = await layer(redis).read("key", NAMES, 20.0)
        assert renewing is not None
        assert other is not None
        assert (renewing.load, other.load, other.data) == (True, False, b"value")
        assert await pod.fill("key", NAMES, renewing.versions, b"newer", 60.0, 120.0)
        assert await received() == []


async def test_invalidation_without_broadcast_sends_no_message(redis: Redis) -> None:
    pod = RedisLayer(redis, "test", load_seconds=5.0, broadcast=False)
    await stored(pod)
    async with messages_of(redis, pod) as received:
        await pod.publish_invalidation(["tag"])
        assert await received() == []
    found = await layer(redis).read("key", NAMES, 0.0)
    assert found is not None
    assert (found.data, found.load) == (None, True)
