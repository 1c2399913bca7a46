"""The loop of a worker: take jobs, keep their leases alive, settle them; at the end hand the rest back."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import Final

import structlog
from prometheus_client import Histogram

from app.connections import REDIS_GONE
from app.queue.jobs import Ending, Lease, Outcome, Retry
from app.queue.queue import Queue
from app.queue.tasks import Tasks, Undoable
from app.redis.batcher import Together
from app.redis.cancellation import pause
from app.resilience.retry import Budget, retry
from app.telemetry import context, metrics
from app.telemetry.error_groups import is_outage

log = structlog.get_logger()

_IDLE_SECONDS: Final = 1.0  # a bell that was lost with its worker delays a job by so much at most
_LONGEST_BACK_OFF: Final = 300.0
_BACK_OFF_SECONDS: Final = 5.0  # when a task does not say after how long
_STUBBORN_SECONDS: Final = 5.0  # for jobs that do not end when they are cancelled


class Consumer:
    """Runs up to ``slots`` jobs at a time until :meth:`stop`."""

    def __init__(self, queue: Queue, tasks: Tasks, *, slots: int = 8) -> None:
        self._queue = queue
        self._tasks = tasks
        self._slots = slots
        self._running: dict[asyncio.Task[None], Lease] = {}
        self._working: set[asyncio.Task[None]] = set()  # those not settling yet
        # Short jobs end by the dozen: one call each would cost more than the jobs.
        self._endings: Together[Ending, bool] = Together(lambda endings: queue.settle(*endings))
        self._settling = Budget(start=50.0)
        self._timers: dict[tuple[str, str], Histogram] = {}
        self._stopping = asyncio.Event()
        self._taking = asyncio.Lock()
        self._beating: asyncio.Task[None] | None = None
        self._stopped = False

    async def run(self) -> None:
        """Work until :meth:`stop` is called, through any outage of Redis."""
        self._beating = asyncio.create_task(self._keep_alive())
        recurring = asyncio.create_task(self._recur()) if self._tasks.recurring else None
        try:
            while not self._stopping.is_set():
                try:
                    await self._take()
                except REDIS_GONE as error:
                    log.warning("the queue cannot be reached", error=type(error).__name__)
                    await self._pause(1.0)
        finally:
            if recurring is not None:
                recurring.cancel()

    async def stop(self, grace: float) -> None:
        """Take no more; give what runs ``grace`` seconds to end, then hand the rest back to the queue."""
        self._stopping.set()
        async with self._taking:  # what is being leased just now is handed back too
            pass
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        unfinished = self._working & self._running.keys()
        for task in unfinished:
            task.cancel()
        if self._running:
            _, stubborn = await asyncio.wait(self._running, timeout=_STUBBORN_SECONDS)
            if stubborn:
                log.warning("jobs do not end", count=len(stubborn))
        self._stopped = True
        if self._beating is not None:
            self._beating.cancel()
        if unfinished:
            log.info("jobs handed back", count=len(unfinished))

    async def _take(self) -> None:
        free = self._slots - len(self._running)
        if free == 0:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            return
        async with self._taking:
            if self._stopping.is_set():
                return
            reserved = await self._queue.reserve(free)
            for lease in reserved.leases:
                task = asyncio.create_task(self._do(lease, time.monotonic()))
                self._running[task] = lease
                self._working.add(task)
                task.add_done_callback(self._forget)
        if not reserved.leases:
            await self._sleep(min(_IDLE_SECONDS, reserved.due))

    async def _sleep(self, seconds: float) -> None:
        """Until a job is added, this consumer stops, or the time is over."""
        if seconds < 0.01:  # Redis reads shorter times as for ever
            await asyncio.sleep(seconds)
            return
        bell = asyncio.create_task(self._queue.wait(seconds))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((bell, stopping), return_when=asyncio.FIRST_COMPLETED)
            if bell.done():
                bell.result()
        finally:
            for task in (bell, stopping):
                task.cancel()
            await asyncio.gather(bell, stopping, return_exceptions=True)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._working.discard(task)

    async def _do(self, lease: Lease, leased_at: float) -> None:
        began = time.perf_counter()
        # The task is this job's own, and so is its context: nothing to put back.
        context.current.set({"job": lease.id, "kind": lease.kind, "attempt": str(lease.attempt)})
        task = asyncio.current_task()
        assert task is not None
        try:
            ending = await self._run(lease, time.monotonic() - leased_at)
        except asyncio.CancelledError:
            self._time(lease.kind, "cancelled").observe(time.perf_counter() - began)
            if not self._stopping.is_set():
                raise  # the lease was lost: another has the job now
            ending = Ending(lease, Outcome.BACK)
        self._working.discard(task)
        outcome = await self._settle(ending)
        self._time(lease.kind, outcome).observe(time.perf_counter() - began)

    async def _settle(self, ending: Ending) -> str:
        """What became of it. While the lease lasts, a lost connection is no reason to do the job twice."""
        try:
            held = await retry(
                lambda: self._endings.ask(ending),
                on=REDIS_GONE,
                budget=self._settling,
                attempts=8,
                first_wait=0.1,
                longest_wait=self._queue.visibility / 4,
            )
        except REDIS_GONE as error:
            # Unsettled: the lease runs out and the job runs once more, which tasks are written for.
            log.warning("the job could not be settled", error=type(error).__name__)
            return "unsettled"
        return ending.outcome.value if held else "lost"

    async def _run(self, lease: Lease, waited: float) -> Ending:
        """Do the job, and say how its lease ends."""
        if lease.left <= waited:
            return await self._give_up(lease, "nobody waits for it any more")
        try:
            result = await self._tasks.run(lease)
        except Undoable as error:
            log.exception("the job cannot be done")
            return await self._give_up(lease, str(error))
        except Retry as wish:
            if not wish.counts:
                after = _BACK_OFF_SECONDS if wish.after is None else wish.after
                return Ending(lease, Outcome.LATER, after, str(wish))
            return await self._again(lease, str(wish), wish.after)
        except Exception as error:
            # An outage says nothing about the job, so it keeps its attempts. A TimeoutError does: it is the
            # task's own deadline.
            if is_outage(error) and not isinstance(error, TimeoutError):
                log.warning("job postponed: dependency unavailable", error=repr(error))
                return Ending(lease, Outcome.LATER, _BACK_OFF_SECONDS, repr(error))
            log.exception("the job failed")
            return await self._again(lease, repr(error), None)
        return Ending(lease, Outcome.DONE, result=result)

    async def _again(self, lease: Lease, reason: str, after: float | None) -> Ending:
        if lease.attempt >= self._queue.most_attempts:
            return await self._give_up(lease, reason)
        # Full jitter: jobs that failed together must not come back together.
        ceiling = min(_LONGEST_BACK_OFF, 2.0**lease.attempt)
        wait = random.uniform(0, ceiling) if after is None else after  # noqa: S311
        return Ending(lease, Outcome.RETRY, wait, reason)

    async def _give_up(self, lease: Lease, reason: str) -> Ending:
        try:
            await self._tasks.give_up(lease)
        except Exception:
            log.exception("nobody could be told that the job is dead")
        return Ending(lease, Outcome.DEAD, error=reason)

    def _time(self, kind: str, outcome: str) -> Histogram:
        timer = self._timers.get((kind, outcome))
        if timer is None:
            timer = self._timers[kind, outcome] = metrics.jobs.labels(kind, outcome)
        return timer

    async def _keep_alive(self) -> None:
        while not self._stopped:
            await asyncio.sleep(self._queue.visibility / 3)
            held = list(self._running.items())
            if not held:
                continue
            try:
                alive = await self._queue.extend([lease for _, lease in held])
            except REDIS_GONE:
                continue
            for (task, lease), still in zip(held, alive, strict=True):
                if not still and task in self._working:
                    log.warning("lease lost", job=lease.id)
                    task.cancel()

    async def _recur(self) -> None:
        """Ask for what is due; each of all workers does, and the queue adds each job once."""
        while not self._stopping.is_set():
            wait = 1.0
            with contextlib.suppress(*REDIS_GONE):
                wait = await self._queue.recur(self._tasks.recurring)
            await pause(max(0.01, wait))

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
