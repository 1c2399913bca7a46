"""`python -m benchmarks.sides.queue_saq URL JOBS`: jobs per second of SAQ in the peers' environment."""

import asyncio
import json
import sys
import time
from typing import Any

import uvloop
from saq import Queue, Worker

from benchmarks.sides import CALLERS, SLOTS


async def main(url: str, count: int) -> dict[str, float]:
    queue = Queue.from_url(url)
    await queue.connect()
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            assert await queue.enqueue("task", key=f"job{number}", number=number) is not None

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    added = count / (time.perf_counter() - began)

    done = 0
    finished = asyncio.Event()

    async def task(context: Any, *, number: int) -> None:
        nonlocal done
        done += 1
        if done == count:
            finished.set()

    worker: Any = Worker(queue, functions=[("task", task)], concurrency=SLOTS)
    began = time.perf_counter()
    running = asyncio.create_task(worker.start())
    await finished.wait()
    processed = count / (time.perf_counter() - began)
    worker.event.set()
    await worker.stop()
    await asyncio.gather(running, return_exceptions=True)
    await queue.disconnect()
    return {"added": added, "done": processed}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(sys.argv[1], int(sys.argv[2])))))
