from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from app.resilience import DeadlineWatchdog

pytestmark = pytest.mark.anyio


async def test_task_is_cancelled_at_its_deadline_and_others_continue() -> None:
    watch = DeadlineWatchdog()
    running = asyncio.create_task(watch.run())
    late, early = (asyncio.create_task(asyncio.Event().wait()) for _ in range(2))
    watch.watch(late, time.monotonic())
    watch.watch(early, time.monotonic() + 60)
    with pytest.raises(asyncio.CancelledError):
        await late
    assert watch.unwatch(late), "it was ended from here"
    assert not watch.unwatch(early)
    assert not any(watch.unwatch(task) for task in (late, early)), "neither is watched any more"
    assert not early.done()
    for task in (early, running):
        task.cancel()
    await asyncio.gather(early, running, return_exceptions=True)


async def test_task_is_cancelled_at_its_deadline_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    clock = SimpleNamespace(monotonic=lambda: now)  # other threads of the tests read the real one
    monkeypatch.setattr("app.resilience.deadline_watchdog.time", clock)
    monkeypatch.setattr("app.resilience.deadline_watchdog._TICK_SECONDS", 0.0)
    watchdog = DeadlineWatchdog()
    task = asyncio.create_task(asyncio.Event().wait())
    watchdog.watch(task, 101.0)
    running = asyncio.create_task(watchdog.run())
    for _ in range(5):
        await asyncio.sleep(0)
    assert watchdog.cancelled == 0
    now = 101.0
    for _ in range(5):
        await asyncio.sleep(0)
    assert watchdog.cancelled == 1
    running.cancel()
    await asyncio.gather(task, running, return_exceptions=True)
    assert task.cancelled()
