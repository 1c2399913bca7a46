from __future__ import annotations

import asyncio

import pytest

from app.resilience import Bulkhead, BulkheadFull, RetryBudget, deadline, remaining, retry

pytestmark = pytest.mark.anyio


class Flaky:
    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.max_concurrent = 0

    async def __call__(self) -> str:
        self.max_concurrent += 1
        if self.max_concurrent <= self.failures:
            raise OSError("not yet")
        return "done"


async def test_a_retry_succeeds_where_a_first_try_failed() -> None:
    work = Flaky(2)
    assert await retry(work, retry_on=(OSError,), budget=RetryBudget(), wait_initial=0.001) == "done"


async def test_an_empty_budget_leaves_only_the_first_try() -> None:
    work = Flaky(1_000)
    budget = RetryBudget(ratio=0.2, initial=0)
    for _ in range(100):
        with pytest.raises(OSError, match="not yet"):
            await retry(work, retry_on=(OSError,), budget=budget, wait_initial=0.0)
    assert 100 <= work.max_concurrent <= 120


async def test_no_retry_begins_that_the_deadline_would_cut_off() -> None:
    work = Flaky(1_000)
    async with deadline(0.02):
        with pytest.raises(OSError, match="not yet"):
            await retry(work, retry_on=(OSError,), budget=RetryBudget(), attempts=1_000, wait_initial=1.0)
    assert work.max_concurrent < 10


async def test_a_nested_deadline_can_only_be_nearer() -> None:
    assert remaining() == float("inf")
    async with deadline(5.0):
        async with deadline(60):
            assert 0 < remaining() <= 5.0
        with pytest.raises(TimeoutError):
            async with deadline(0.001):
                await asyncio.Event().wait()


async def test_a_full_bulkhead_refuses_instead_of_queueing() -> None:
    bulkhead = Bulkhead("test", max_concurrent=2, max_waiting=1, max_wait_seconds=5.0)
    gate = asyncio.Event()

    async def call() -> str:
        async with bulkhead.enter():
            await gate.wait()
        return "done"

    max_concurrent = [asyncio.create_task(call()) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(BulkheadFull):
        await call()
    gate.set()
    assert await asyncio.gather(*max_concurrent) == ["done"] * 3
