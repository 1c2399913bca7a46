"""`python -m benchmarks.sides.queue_ours URL JOBS`: jobs enqueued and completed per second by `app.queue`."""

import asyncio
import json
import logging
import sys
import time

import msgspec
import structlog
import uvloop

from app.connections import open_redis
from app.queue import Consumer, Priority, Queue, Tasks
from app.queue.tasks import job
from app.settings import RedisSettings
from benchmarks.sides import CALLERS, SLOTS


class Number(msgspec.Struct):
    """Payload of a job."""

    number: int


async def main(url: str, count: int) -> dict[str, float]:
    async with open_redis(RedisSettings(url, None, None)) as redis:
        queue = Queue(redis)
        numbers = iter(range(count))

        async def caller() -> None:
            for number in numbers:
                item = job("count", Number(number), job_id=f"job{number}", priority=Priority.NORMAL)
                assert await queue.enqueue(item) == [True]

        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        added = count / (time.perf_counter() - began)

        done = 0
        finished = asyncio.Event()

        async def task(_: Number) -> None:
            nonlocal done
            done += 1
            if done == count:
                finished.set()

        tasks = Tasks()
        tasks.add("count", Number, task, on_dead=None)
        consumer = Consumer(queue, tasks, slots=SLOTS)
        began = time.perf_counter()
        running = asyncio.create_task(consumer.run())
        await finished.wait()
        processed = count / (time.perf_counter() - began)
        await consumer.stop(5.0)
        await running
        depth = await queue.depth()
        assert depth.waiting + depth.leased + depth.dead == 0
        return {"added": added, "done": processed}


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print(json.dumps(uvloop.run(main(sys.argv[1], int(sys.argv[2])))))
