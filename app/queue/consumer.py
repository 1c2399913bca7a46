"""The loop of a worker: take jobs, keep their leases alive, settle them; at the end hand the rest back."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Final

import msgspec
import structlog
from prometheus_client import Histogram
from redis import RedisError

from app import context, metrics
from app.queue.jobs import Ending, Lease, Outcome, Retry
from app.queue.queue import Queue
from app.queue.settler import Settler
from app.queue.tasks import Tasks

log = structlog.get_logger()

_IDLE_SECONDS: Final = 1.0  # delayed jobs ring no bell, so they start at most this late
_LONGEST_BACK_OFF: Final = 300.0
_BACK_OFF_SECONDS: Final = 5.0  # when a task does not say after how long


class Consumer:
    """Runs up to ``slots`` jobs at a time until :meth:`stop`."""

    def __init__(self, queue: Queue, tasks: Tasks, *, slots: int = 8) -> None:
        self._queue = queue
        self._tasks = tasks
        self._slots = slots
        self._running: dict[asyncio.Task[None], Lease] = {}
        self._settler = Settler(queue)
        self._timers: dict[tuple[str, str], Histogram] = {}
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
            await self._queue.settle(*(Ending(lease, Outcome.BACK) for lease in unfinished.values()))
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
            task.add_done_callback(self._forget)
        if not leases:
            await self._queue.wait(_IDLE_SECONDS)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)

    async def _do(self, lease: Lease) -> None:
        began = time.perf_counter()
        # The task is this job's own, and so is its context: nothing to put back.
        context.current.set({"job": lease.id, "kind": lease.kind, "attempt": str(lease.attempt)})
        outcome = "cancelled"
        try:
            ending = await self._run(lease)
            if ending.outcome is Outcome.DEAD:
                await self._give_up(lease)
            held = await self._settler.settle(ending)
            outcome = ending.outcome.value if held else "lost"
        except RedisError as error:
            # Unsettled: the lease runs out and the job runs once more, which tasks are written for.
            log.warning("the job could not be settled", error=type(error).__name__)
            outcome = "unsettled"
        finally:
            self._time(lease.kind, outcome).observe(time.perf_counter() - began)

    async def _run(self, lease: Lease) -> Ending:
        """Do the job, and say how its lease ends."""
        try:
            await self._tasks.run(lease)
        except (LookupError, msgspec.DecodeError) as error:
            log.exception("the job cannot be done")  # no number of attempts would help
            return Ending(lease, Outcome.DEAD, error=repr(error))
        except Retry as wish:
            if not wish.counts:
                after = _BACK_OFF_SECONDS if wish.after is None else wish.after
                return Ending(lease, Outcome.LATER, after, str(wish))
            return self._again(lease, str(wish), wish.after)
        except Exception as error:
            log.exception("the job failed")
            return self._again(lease, repr(error), None)
        return Ending(lease, Outcome.DONE)

    def _again(self, lease: Lease, reason: str, after: float | None) -> Ending:
        if lease.attempt >= self._queue.most_attempts:
            return Ending(lease, Outcome.DEAD, error=reason)
        # Full jitter: jobs that failed together must not come back together.
        ceiling = min(_LONGEST_BACK_OFF, 2.0**lease.attempt)
        return Ending(
            lease,
            Outcome.RETRY,
            random.uniform(0, ceiling) if after is None else after,  # noqa: S311
            reason,
        )

    async def _give_up(self, lease: Lease) -> None:
        try:
            await self._tasks.give_up(lease)
        except Exception:
            log.exception("nobody could be told that the job is dead")

    def _time(self, kind: str, outcome: str) -> Histogram:
        timer = self._timers.get((kind, outcome))
        if timer is None:
            timer = self._timers[kind, outcome] = metrics.jobs.labels(kind, outcome)
        return timer

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
