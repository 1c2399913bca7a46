"""The loop of a worker: take jobs, keep their leases alive, settle them; at the end hand the rest back."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Final

import msgspec
import structlog
from redis import RedisError

from app import metrics
from app.queue.jobs import Lease, Retry
from app.queue.queue import Queue
from app.queue.tasks import Tasks

log = structlog.get_logger()

_IDLE_SECONDS: Final = 1.0  # delayed jobs ring no bell, so they start at most this late
_LONGEST_BACK_OFF: Final = 300.0


class Consumer:
    """Runs up to ``slots`` jobs at a time until :meth:`stop`."""

    def __init__(self, queue: Queue, tasks: Tasks, *, slots: int = 8) -> None:
        self._queue = queue
        self._tasks = tasks
        self._slots = slots
        self._running: dict[asyncio.Task[None], Lease] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until :meth:`stop` is called, through any outage of Redis."""
        heartbeat = asyncio.create_task(self._keep_alive())
        try:
            while not self._stopping.is_set():
                try:
                    await self._take()
                except RedisError as error:
                    log.warning("the queue cannot be reached", error=type(error).__name__)
                    await self._pause(1.0)
        finally:
            heartbeat.cancel()

    async def stop(self, grace: float) -> None:
        """Take no more; give what runs ``grace`` seconds to end, then hand the rest back to the queue."""
        self._stopping.set()
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        unfinished = dict(self._running)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        if unfinished:
            await self._queue.hand_back(*unfinished.values())
            log.info("jobs handed back", count=len(unfinished))

    async def _take(self) -> None:
        free = self._slots - len(self._running)
        if free == 0:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            return
        leases = await self._queue.reserve(free)
        for lease in leases:
            task = asyncio.create_task(self._do(lease))
            self._running[task] = lease
            task.add_done_callback(lambda done: self._running.pop(done, None))
        if not leases:
            await self._queue.wait(_IDLE_SECONDS)

    async def _do(self, lease: Lease) -> None:
        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(job=lease.id, kind=lease.kind, attempt=lease.attempt):
            outcome = "cancelled"
            try:
                try:
                    await self._tasks.run(lease)
                    outcome = "done"
                    await self._queue.done(lease)
                except (LookupError, msgspec.DecodeError) as error:
                    outcome = "dead"  # no number of attempts would help
                    log.exception("the job cannot be done")
                    await self._queue.bury(lease, repr(error))
                except Retry as wish:
                    outcome = await self._again(lease, str(wish), wish.after)
                except Exception as error:
                    log.exception("the job failed")
                    outcome = await self._again(lease, repr(error), None)
            except RedisError as error:
                # Unsettled: the lease runs out and the job runs once more, which tasks are written for.
                log.warning("the job could not be settled", error=type(error).__name__)
            finally:
                metrics.jobs.labels(lease.kind, outcome).observe(time.perf_counter() - began)

    async def _again(self, lease: Lease, reason: str, after: float | None) -> str:
        if lease.attempt >= self._queue.most_attempts:
            await self._queue.bury(lease, reason)
            return "dead"
        # Full jitter: jobs that failed together must not come back together.
        ceiling = min(_LONGEST_BACK_OFF, 2.0**lease.attempt)
        await self._queue.retry(lease, random.uniform(0, ceiling) if after is None else after, reason)  # noqa: S311
        return "retry"

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._queue.visibility / 3)
            held = list(self._running.items())
            if not held:
                continue
            try:
                alive = await self._queue.extend([lease for _, lease in held])
            except RedisError:
                continue
            for (task, lease), still in zip(held, alive, strict=True):
                if not still and not task.done():
                    log.warning("lease lost", job=lease.id)
                    task.cancel()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
