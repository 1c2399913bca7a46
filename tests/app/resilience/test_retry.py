"""Retries: bounded by attempts, budget and deadline."""

from __future__ import annotations

import asyncio
import random

import pytest

from app.resilience import RetryBudget, deadline, retry

pytestmark = pytest.mark.anyio


class Flaky:
    """Fails a number of times, then succeeds."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise OSError("not yet")
        return "done"


async def test_retry_succeeds_after_failed_attempts() -> None:
    work = Flaky(2)
    assert await retry(work, retry_on=(OSError,), budget=RetryBudget(), wait_initial=0.001) == "done"
    assert work.calls == 3


async def test_last_error_is_raised_after_the_maximum_of_attempts() -> None:
    work = Flaky(3)
    with pytest.raises(OSError, match="not yet"):
        await retry(work, retry_on=(OSError,), budget=RetryBudget(), attempts=3, wait_initial=0.0)
    assert work.calls == 3


async def test_other_errors_are_not_retried() -> None:
    work = Flaky(1)
    with pytest.raises(OSError, match="not yet"):
        await retry(work, retry_on=(ValueError,), budget=RetryBudget(), wait_initial=0.0)
    assert work.calls == 1


async def test_empty_budget_allows_only_a_share_of_retries() -> None:
    work = Flaky(1_000)
    budget = RetryBudget(ratio=0.25, initial=0)
    for _ in range(100):
        with pytest.raises(OSError, match="not yet"):
            await retry(work, retry_on=(OSError,), budget=budget, wait_initial=0.0)
    assert work.calls == 125


async def test_no_retry_starts_that_the_deadline_would_cut_off() -> None:
    work = Flaky(1_000)
    async with deadline(0.02):
        with pytest.raises(OSError, match="not yet"):
            await retry(work, retry_on=(OSError,), budget=RetryBudget(), attempts=1_000, wait_initial=1.0)
    assert work.calls < 10


async def test_delays_double_up_to_the_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds: list[float] = []

    def uniform(low: float, high: float) -> float:
        bounds.append(high)
        return low

    monkeypatch.setattr(random, "uniform", uniform)
    with pytest.raises(OSError, match="not yet"):
        await retry(
            Flaky(9), retry_on=(OSError,), budget=RetryBudget(), attempts=5, wait_initial=0.1, wait_max=0.4
        )
    assert bounds == pytest.approx([0.1, 0.2, 0.4, 0.4, 0.4])


def test_budget_spends_whole_retries_only() -> None:
    budget = RetryBudget(ratio=0.5, initial=1.0, max_balance=2.0)
    assert budget.spend()
    assert not budget.spend()
    budget.earn()
    assert not budget.spend(), "half a retry is not enough"
    budget.earn()
    assert budget.spend()
    for _ in range(100):
        budget.earn()
    assert budget.balance == 2.0


async def test_cancelled_retry_is_not_repeated() -> None:
    work = Flaky(1_000)
    task = asyncio.create_task(retry(work, retry_on=(OSError,), budget=RetryBudget(), wait_initial=60.0))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.calls == 1
