"""Background tasks run without a caller, are counted while they run, and can be awaited at shutdown."""

from __future__ import annotations

import asyncio
import gc

import pytest

from app.background import BackgroundTasks

pytestmark = pytest.mark.anyio


async def test_task_survives_garbage_collection_and_is_removed_at_its_end() -> None:
    tasks, release, done = BackgroundTasks(), asyncio.Event(), list[int]()

    async def work(number: int) -> None:
        await release.wait()
        done.append(number)

    for number in range(3):
        tasks.start(work(number))
    await asyncio.sleep(0)
    gc.collect()
    assert (len(tasks), done) == (3, [])
    release.set()
    await tasks.wait(5)
    assert sorted(done) == [0, 1, 2]
    await asyncio.sleep(0)
    assert len(tasks) == 0


async def test_wait_ends_after_its_timeout() -> None:
    tasks, release = BackgroundTasks(), asyncio.Event()

    async def work() -> None:
        await release.wait()

    tasks.start(work())
    await tasks.wait(0.01)
    assert len(tasks) == 1
    release.set()
    await tasks.wait(5)
    await BackgroundTasks().wait(5)
