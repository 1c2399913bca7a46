"""Worker process that reports the progress of its job and then waits to be killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import msgspec

from app.connections import open_redis
from app.queue import Consumer, Lease, Queue, Tasks
from app.queue.jobs import JobResult
from app.queue.queue import Reserved
from app.settings import RedisSettings


class Body(msgspec.Struct):
    number: int


async def stand_still(step: str) -> None:
    print(step, flush=True)
    await asyncio.Event().wait()


class CrashingTask(Queue):
    """A queue whose worker crashes at ``step``."""

    step = ""

    async def reserve(self, count: int, *, max_low: int | None = None) -> Reserved:
        reserved = await super().reserve(count, max_low=max_low)
        if self.step == "leased" and reserved.leases:
            await stand_still("leased")
        return reserved

    async def settle(self, *endings: JobResult) -> list[bool]:
        await stand_still("done")
        return []

    async def extend(self, leases: Sequence[Lease]) -> list[bool]:
        return [True for _ in leases]  # no heartbeat: the test must not wait for one


async def main(url: str, step: str) -> None:
    async with open_redis(RedisSettings(url, None, None)) as redis:
        queue = CrashingTask(redis, visibility=0.4)
        queue.step = step

        async def task(_: Body) -> None:
            if step == "begun":
                await stand_still("begun")

        tasks = Tasks()
        tasks.add("note", Body, task, on_dead=None)
        await Consumer(queue, tasks).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
