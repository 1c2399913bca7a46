"""Leases in Redis: one holder, extended while it runs, lost with an error."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from app.redis.lease import LeaseLost, lease

pytestmark = pytest.mark.anyio


async def test_second_holder_is_refused_until_the_first_releases(redis: Redis) -> None:
    async with lease(redis, "job") as held:
        assert held
        async with lease(redis, "job") as second:
            assert not second
        async with lease(redis, "other") as other:
            assert other
    async with lease(redis, "job") as again:
        assert again


async def test_lease_is_extended_while_the_block_runs(redis: Redis) -> None:
    async with lease(redis, "job", seconds=0.3):
        await asyncio.sleep(0.5)
        assert await redis.exists("lease:job")
    assert not await redis.exists("lease:job")


async def test_block_is_cancelled_if_the_lease_is_taken_over(redis: Redis) -> None:
    async def hold() -> None:
        async with lease(redis, "job", seconds=0.3):
            await redis.set("lease:job", "another holder")
            await asyncio.Event().wait()

    with pytest.raises(LeaseLost):
        await hold()
    assert await redis.get("lease:job") == b"another holder", "the other holder's lease is not released"


async def test_cancellation_from_outside_is_not_a_lost_lease(redis: Redis) -> None:
    held = asyncio.Event()

    async def hold() -> None:
        async with lease(redis, "job"):
            held.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await held.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await redis.exists("lease:job")
