"""Cancellation that a library swallowed is raised again."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from app.redis.cancellation import pause, raise_if_cancelled

pytestmark = pytest.mark.anyio


async def test_loop_ends_although_a_cancellation_was_swallowed() -> None:
    rounds = 0

    async def loop() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            await pause(0)

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rounds == 1


async def test_task_without_cancellation_continues() -> None:
    raise_if_cancelled()
    await pause(0)
