"""The consumer loop of a worker: lease jobs, extend their leases, run them, and settle them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from typing import Final

import structlog
from prometheus_client import Histogram

from app.connections import REDIS_ERRORS
from app.queue.jobs import JobResult, Lease, Outcome, Priority, RetryLater
from app.queue.queue import Queue
from app.queue.tasks import PermanentError, Tasks
from app.redis.batcher import Batcher
from app.resilience.retry import RetryBudget, retry
from app.telemetry import context, metrics
from app.telemetry.error_groups import is_outage

log = structlog.get_logger()

_POLL_SECONDS: Final = 1.0  # a wake-up token lost with its worker delays a job by at most this
_MAX_BACKOFF_SECONDS: Final = 300.0
_DEFAULT_BACKOFF_SECONDS: Final = 5.0  # for tasks that specify none
_CANCEL_SECONDS: Final = 5.0  # after cancellation


class Consumer:
    """Runs up to ``slots`` jobs concurrently until :meth:`stop`.

    ``max_low`` is the maximum number of them with the lowest priority, by default all: jobs that take long
    must not occupy every slot while jobs with a higher priority wait.
    """

    def __init__(self, queue: Queue, tasks: Tasks, *, slots: int = 8, max_low: int | None = None) -> None:
        self._queue = queue
        self._tasks = tasks
        self._slots = slots
        self._max_low = slots if max_low is None else max_low
        self._running: dict[asyncio.Task[None], Lease] = {}
        self._executing: set[asyncio.Task[None]] = set()  # running tasks that are not settling yet
        # Settled in batches: one call to Redis per short job would cost more than the jobs.
        self._settlements: Batcher[JobResult, bool] = Batcher(lambda results: queue.settle(*results))
        self._retry_budget = RetryBudget(initial=50.0)
        self._timers: dict[tuple[str, str], Histogram] = {}
        self._stopping = asyncio.Event()
        self._leasing = asyncio.Lock()
        self._heartbeat: asyncio.Task[None] | None = None
        self._stopped = False

    async def run(self) -> None:
        """Run jobs until :meth:`stop` is called. Redis errors are retried every second."""
        self._heartbeat = asyncio.create_task(self._keep_alive())
        recurring = asyncio.create_task(self._recur()) if self._tasks.recurring else None
        try:
            while not self._stopping.is_set():
                try:
                    await self._lease_jobs()
                except REDIS_ERRORS as error:
                    log.warning("queue unavailable", error=type(error).__name__)
                    await self._pause(1.0)
        finally:
            if recurring is not None:
                recurring.cancel()

    async def stop(self, grace: float) -> None:
        """Stop leasing jobs, wait up to ``grace`` seconds for running jobs, and release the rest to the
        queue.

        Jobs that are still running after ``grace`` are cancelled and get five more seconds to end.
        """
        self._stopping.set()
        async with self._leasing:  # a reservation in progress is released too
            pass
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        unfinished = self._executing & self._running.keys()
        for task in unfinished:
            task.cancel()
        if self._running:
            _, still_running = await asyncio.wait(self._running, timeout=_CANCEL_SECONDS)
            if still_running:
                log.warning("jobs did not stop in time", count=len(still_running))
        self._stopped = True
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        if unfinished:
            log.info("unfinished jobs released", count=len(unfinished))

    async def _lease_jobs(self) -> None:
        free = self._slots - len(self._running)
        if free == 0:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            return
        async with self._leasing:
            if self._stopping.is_set():
                return
            low = [task for task, lease in self._running.items() if lease.priority is Priority.LOW]
            reserved = await self._queue.reserve(free, max_low=self._max_low - len(low))
            for lease in reserved.leases:
                task = asyncio.create_task(self._process(lease, time.monotonic()))
                self._running[task] = lease
                self._executing.add(task)
                task.add_done_callback(self._discard)
        if not reserved.leases:
            # Jobs of the lowest priority may wait for the end of one of these.
            await self._sleep(min(_POLL_SECONDS, reserved.due), low if len(low) == self._max_low else [])

    async def _sleep(self, seconds: float, running: Sequence[asyncio.Task[None]] = ()) -> None:
        """Wait until a job is added, one of ``running`` ends, the consumer stops, or ``seconds`` have
        passed.
        """
        if seconds < 0.01:  # BLPOP treats shorter timeouts as infinite
            await asyncio.sleep(seconds)
            return
        added = asyncio.create_task(self._queue.wait(seconds))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((added, stopping, *running), return_when=asyncio.FIRST_COMPLETED)
            if added.done():
                added.result()
        finally:
            for task in (added, stopping):
                task.cancel()
            await asyncio.gather(added, stopping, return_exceptions=True)

    def _discard(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._executing.discard(task)

    async def _process(self, lease: Lease, leased_at: float) -> None:
        began = time.perf_counter()
        # The asyncio task runs only this job, so the context needs no reset.
        context.current.set({"job": lease.id, "kind": lease.kind, "attempt": str(lease.attempt)})
        task = asyncio.current_task()
        assert task is not None
        try:
            result = await self._run(lease, time.monotonic() - leased_at)
        except asyncio.CancelledError:
            self._time(lease.kind, "cancelled").observe(time.perf_counter() - began)
            if not self._stopping.is_set():
                raise  # the lease was lost: another worker runs the job
            result = JobResult(lease, Outcome.RELEASED)
        self._executing.discard(task)
        outcome = await self._settle(result)
        self._time(lease.kind, outcome).observe(time.perf_counter() - began)

    async def _settle(self, result: JobResult) -> str:
        """Settle a job and return its outcome for the metrics. Retried on connection errors while the lease
        lasts.
        """
        try:
            held = await retry(
                lambda: self._settlements.submit(result),
                retry_on=REDIS_ERRORS,
                budget=self._retry_budget,
                attempts=8,
                wait_initial=0.1,
                wait_max=self._queue.visibility / 4,
            )
        except REDIS_ERRORS as error:
            # The lease expires and the job runs again; tasks are idempotent.
            log.warning("failed to settle job", error=type(error).__name__)
            return "unsettled"
        return result.outcome.value if held else "lost"

    async def _run(self, lease: Lease, waited: float) -> JobResult:
        """Run the job and return how to settle its lease."""
        if lease.seconds_left <= waited:
            return await self._give_up(lease, "job expired")
        try:
            result = await self._tasks.run(lease)
        except PermanentError as error:
            log.exception("job failed permanently")
            return await self._give_up(lease, str(error))
        except RetryLater as later:
            if not later.counts:
                after = _DEFAULT_BACKOFF_SECONDS if later.after is None else later.after
                return JobResult(lease, Outcome.POSTPONED, after, str(later))
            return await self._retry_or_give_up(lease, str(later), later.after)
        except Exception as error:
            # An outage is not a failure of the job, so the attempt does not count. A TimeoutError counts: it
            # is the task's own deadline.
            if is_outage(error) and not isinstance(error, TimeoutError):
                log.warning("job postponed: dependency unavailable", error=repr(error))
                return JobResult(lease, Outcome.POSTPONED, _DEFAULT_BACKOFF_SECONDS, repr(error))
            log.exception("job failed")
            return await self._retry_or_give_up(lease, repr(error), None)
        return JobResult(lease, Outcome.DONE, result=result)

    async def _retry_or_give_up(self, lease: Lease, reason: str, after: float | None) -> JobResult:
        if lease.attempt >= self._queue.max_attempts:
            return await self._give_up(lease, reason)
        # Full jitter, so that jobs that failed together are not retried together.
        ceiling = min(_MAX_BACKOFF_SECONDS, 2.0**lease.attempt)
        wait = random.uniform(0, ceiling) if after is None else after  # noqa: S311
        return JobResult(lease, Outcome.RETRY, wait, reason)

    async def _give_up(self, lease: Lease, reason: str) -> JobResult:
        try:
            await self._tasks.give_up(lease)
        except Exception:
            log.exception("dead-letter handler failed")
        return JobResult(lease, Outcome.DEAD, error=reason)

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
            except REDIS_ERRORS:
                continue
            for (task, lease), still in zip(held, alive, strict=True):
                if not still and task in self._executing:
                    log.warning("lease lost", job=lease.id)
                    task.cancel()

    async def _recur(self) -> None:
        """Add due recurring jobs. Every worker runs this; the queue adds each job once."""
        while not self._stopping.is_set():
            wait = 1.0
            with contextlib.suppress(*REDIS_ERRORS):
                wait = await self._queue.recur(self._tasks.recurring)
            await asyncio.sleep(max(0.01, wait))

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
