"""Batching: concurrent requests share a call, within a maximum weight."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from app.redis.batcher import Batcher
from app.resilience import deadline, remaining

pytestmark = pytest.mark.anyio


class Calls:
    """Doubles numbers and records each batch."""

    def __init__(self, gate: asyncio.Event | None = None) -> None:
        self.batches: list[list[int]] = []
        self.remaining: list[float] = []
        self.gate = gate
        self.called = asyncio.Event()

    async def __call__(self, requests: Sequence[int]) -> list[int]:
        self.batches.append(list(requests))
        self.remaining.append(remaining())
        self.called.set()
        if self.gate is not None:
            await self.gate.wait()
        if 13 in requests:
            raise OSError("unlucky")
        return [2 * request for request in requests]


async def test_requests_during_a_call_share_the_next_one() -> None:
    gate = asyncio.Event()
    calls = Calls(gate)
    batcher: Batcher[int, int] = Batcher(calls)
    first = asyncio.create_task(batcher.submit(1))
    await calls.called.wait()
    others = [asyncio.create_task(batcher.submit(number)) for number in (2, 3, 4)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8]
    assert calls.batches == [[1], [2, 3, 4]]


async def test_batches_are_limited_by_count() -> None:
    calls = Calls()
    batcher: Batcher[int, int] = Batcher(calls, max_weight=2)
    assert await asyncio.gather(*map(batcher.submit, range(5))) == [0, 2, 4, 6, 8]
    assert [len(batch) for batch in calls.batches] == [2, 2, 1]


async def test_batches_are_limited_by_weight_and_hold_at_least_one_request() -> None:
    calls = Calls()
    batcher: Batcher[int, int] = Batcher(calls, max_weight=10, weight=lambda request: request)
    await asyncio.gather(*map(batcher.submit, (4, 6, 1, 50, 2)))
    assert calls.batches == [[4, 6], [1], [50], [2]]


async def test_every_caller_of_a_failed_batch_gets_the_error() -> None:
    batcher: Batcher[int, int] = Batcher(Calls())
    outcomes = await asyncio.gather(*map(batcher.submit, (1, 13, 2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OSError] * 3
    assert await batcher.submit(5) == 10, "the next batch is sent"


async def test_cancelled_caller_does_not_affect_the_others() -> None:
    gate = asyncio.Event()
    calls = Calls(gate)
    batcher: Batcher[int, int] = Batcher(calls)
    tasks = [asyncio.create_task(batcher.submit(number)) for number in (1, 2)]
    await calls.called.wait()
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    gate.set()
    assert await tasks[1] == 4


async def test_call_does_not_inherit_the_first_callers_deadline() -> None:
    calls = Calls()
    batcher: Batcher[int, int] = Batcher(calls)
    async with deadline(5.0):
        await batcher.submit(1)
    assert calls.remaining == [float("inf")]
