"""Bulkhead: bounded concurrency, bounded waiting."""

from __future__ import annotations

import asyncio

import pytest

from app.resilience import Bulkhead, BulkheadFull

pytestmark = pytest.mark.anyio


async def test_full_bulkhead_rejects_instead_of_queueing() -> None:
    bulkhead = Bulkhead("test", max_concurrent=2, max_waiting=1, max_wait_seconds=5.0)
    gate = asyncio.Event()

    async def call() -> str:
        async with bulkhead.enter():
            await gate.wait()
        return "done"

    calls = [asyncio.create_task(call()) for _ in range(3)]
    await asyncio.sleep(0)
    assert bulkhead.waiting == 1
    with pytest.raises(BulkheadFull):
        await call()
    gate.set()
    assert await asyncio.gather(*calls) == ["done"] * 3
    assert bulkhead.waiting == 0


async def test_call_that_waits_too_long_is_rejected_and_leaves_the_queue() -> None:
    bulkhead = Bulkhead("test", max_concurrent=1, max_waiting=1, max_wait_seconds=0.01)
    async with bulkhead.enter():
        with pytest.raises(BulkheadFull):
            async with bulkhead.enter():
                pass
    assert bulkhead.waiting == 0
    async with bulkhead.enter():
        pass


async def test_bulkhead_without_waiting_rejects_the_next_call_at_once() -> None:
    bulkhead = Bulkhead("test", max_concurrent=1)
    async with bulkhead.enter():
        with pytest.raises(BulkheadFull):
            await asyncio.wait_for(enter(bulkhead), 0.5)


async def enter(bulkhead: Bulkhead) -> None:
    async with bulkhead.enter():
        pass


async def test_failed_call_releases_its_permit() -> None:
    bulkhead = Bulkhead("test", max_concurrent=1)
    for _ in range(3):
        with pytest.raises(OSError, match="broken"):
            async with bulkhead.enter():
                raise OSError("broken")
