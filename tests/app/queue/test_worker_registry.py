"""Worker registry: live workers are counted; those without a heartbeat and deregistered ones are not."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from app.queue.worker_registry import WorkerRegistry
from tests.app.conftest import filled
from tests.support.backends import until

pytestmark = pytest.mark.anyio


async def test_heartbeats_count_each_worker_once(redis: Redis) -> None:
    registry = WorkerRegistry(redis)
    assert await registry.heartbeat("one") == 1
    assert await registry.heartbeat("two") == 2
    assert await registry.heartbeat("one") == 2
    assert await WorkerRegistry(redis, "other queue").heartbeat("one") == 1


async def test_deregistered_worker_is_not_counted(redis: Redis) -> None:
    registry = WorkerRegistry(redis)
    await registry.heartbeat("one")
    await registry.deregister("one")
    assert await registry.heartbeat("two") == 1


async def test_worker_without_heartbeats_is_removed_after_the_timeout(redis: Redis) -> None:
    registry = WorkerRegistry(redis, timeout=0.05)
    await registry.heartbeat("silent")

    async def alone() -> bool:
        return await registry.heartbeat("live") == 1

    await until(alone)


async def test_heartbeats_are_recorded_while_redis_is_full(redis: Redis) -> None:
    registry = WorkerRegistry(redis)
    assert await registry.heartbeat("one") == 1
    async with filled(redis):
        assert await registry.heartbeat("one") == 1
        assert await registry.heartbeat("two") == 2
