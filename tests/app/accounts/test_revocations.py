"""Revoked sessions: rejected at once by this pod and after one read by others; dropped at token expiry."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from app.accounts.revocations import Revocations
from app.auth.tokens import LIFETIME_SECONDS

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Unavailable:
    """A Redis that refuses connections."""

    def pipeline(self, **_: object) -> Unavailable:
        return self

    async def __aenter__(self) -> Unavailable:
        raise ConnectionRefusedError

    async def __aexit__(self, *_: object) -> None: ...


async def test_other_pods_read_the_ended_sessions(redis: Redis) -> None:
    one, other = Revocations(redis), Revocations(redis)
    await one.add("a", "b")
    assert "a" in one
    assert "a" not in other
    await other.read()
    assert "a" in other
    assert "b" in other
    assert "c" not in other


async def test_sessions_are_dropped_when_their_tokens_have_expired(redis: Redis) -> None:
    clock = Clock()
    revocations = Revocations(redis, clock=clock)
    await revocations.add("a")
    clock.now += LIFETIME_SECONDS + 30
    await revocations.read()
    assert "a" in revocations
    clock.now += 1
    await revocations.add("b")
    await revocations.read()
    assert "a" not in revocations
    assert "b" in revocations
    assert await redis.zrange("sessions:ended", 0, -1) == [b"b"]


async def test_a_full_redis_does_not_evict_ended_sessions(redis: Redis) -> None:
    await Revocations(redis).add("a")
    try:
        await redis.config_set("maxmemory-policy", "volatile-lru")
        await redis.set("cached", b"x", ex=60)
        await redis.config_set("maxmemory", "1")
        assert await redis.get("cached") is None, "keys with a lifetime are evicted"
        started = Revocations(redis)
        await started.read()
        assert "a" in started
    finally:
        await redis.config_set("maxmemory", "0")
        await redis.config_set("maxmemory-policy", "noeviction")


async def test_clock_of_another_pod_may_be_behind(redis: Redis) -> None:
    behind, clock = Clock(), Clock()
    behind.now -= 29
    other = Revocations(redis, clock=clock)
    await other.read()
    await Revocations(redis, clock=behind).add("a")
    await other.read()
    assert "a" in other


async def test_sign_out_during_an_outage_is_published_afterwards(redis: Redis) -> None:
    revocations = Revocations(redis)
    revocations._redis = Unavailable()
    await revocations.add("a")
    assert "a" in revocations
    revocations._redis = redis
    await revocations.add()
    assert await redis.zrange("sessions:ended", 0, -1) == [b"a"]
    await redis.delete("sessions:ended")
    await revocations.add()
    assert await redis.zcard("sessions:ended") == 0, "it is published once"
