"""`python -m benchmarks.sides.queue_urgent URL JOBS`: delay of an urgent job behind many other jobs."""

import asyncio
import json
import statistics
import sys
import time

import uvloop

from app.connections import open_redis
from app.queue import Consumer, EmptyBody, Job, Priority, Queue, Tasks
from app.settings import RedisSettings
from benchmarks.sides import SLOTS

URGENT = 100


async def main(url: str, count: int) -> dict[str, float]:
    async with open_redis(RedisSettings(url, None, None)) as redis:
        queue = Queue(redis)
        low = [
            Job(f"low{number}", "slow", owner=str(number % 100), priority=Priority.LOW)
            for number in range(count)
        ]
        await queue.enqueue(*low)
        started = asyncio.Event()
        began_at = 0.0

        async def slow(_: EmptyBody) -> None:
            await asyncio.sleep(0.005)

        async def urgent(_: EmptyBody) -> None:
            nonlocal began_at
            began_at = time.perf_counter()
            started.set()

        tasks = Tasks()
        tasks.add("slow", EmptyBody, slow, on_dead=None)
        tasks.add("urgent", EmptyBody, urgent, on_dead=None)
        consumer = Consumer(queue, tasks, slots=SLOTS)
        running = asyncio.create_task(consumer.run())
        waits: list[float] = []
        for number in range(URGENT):
            started.clear()
            enqueued = time.perf_counter()
            await queue.enqueue(Job(f"urgent{number}", "urgent", priority=Priority.HIGH))
            await started.wait()
            waits.append(1_000 * (began_at - enqueued))
        depth = await queue.depth()
        assert depth.ready[Priority.LOW] > count // 2, "the queue stayed filled"
        await consumer.stop(5.0)
        await running
        return {"slowest": max(waits), "median": statistics.median(waits), "slots": SLOTS}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(sys.argv[1], int(sys.argv[2])))))
