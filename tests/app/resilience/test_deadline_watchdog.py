from __future__ import annotations

import asyncio
import time

import pytest

from app.resilience import DeadlineWatchdog

pytestmark = pytest.mark.anyio


async def test_a_task_is_ended_when_its_time_is_over_and_the_rest_goes_on() -> None:
    watch = DeadlineWatchdog()
    running = asyncio.create_task(watch.run())
    late, early = (asyncio.create_task(asyncio.Event().wait()) for _ in range(2))
    watch.watch(late, time.monotonic())
    watch.watch(early, time.monotonic() + 60)
    with pytest.raises(asyncio.CancelledError):
        await late
    assert watch.unwatch(late), "it was ended from here"
    assert not watch.unwatch(early)
    assert not early.done()
    for task in (early, running):
        task.cancel()
    await asyncio.gather(early, running, return_exceptions=True)
