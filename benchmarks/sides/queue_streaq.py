"""`python -m benchmarks.sides.queue_streaq URL JOBS`: jobs per second of streaq in the peers' environment."""

import asyncio
import json
import sys
import time

import uvloop
from streaq import Worker

from benchmarks.sides import CALLERS, SLOTS


async def main(url: str, count: int) -> dict[str, float]:
    worker = Worker(redis_url=url, concurrency=SLOTS, handle_signals=False)
    done = 0
    finished = asyncio.Event()

    @worker.task
    async def task(number: int) -> None:
        nonlocal done
        done += 1
        if done == count:
            finished.set()

    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            await task.enqueue(number)

    async with worker:
        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        added = count / (time.perf_counter() - began)
    began = time.perf_counter()
    running = asyncio.create_task(worker.run_async())
    await finished.wait()
    processed = count / (time.perf_counter() - began)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return {"added": added, "done": processed}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(sys.argv[1], int(sys.argv[2])))))
