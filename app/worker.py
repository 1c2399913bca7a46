"""The worker role: runs jobs and recurring tasks, and reports queue metrics."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import msgspec
import structlog
from pymongo.errors import PyMongoError

from app import clock
from app.accounts.recovery import ERASURE_SECONDS
from app.analytics.summaries import Summaries
from app.connections import REDIS_ERRORS
from app.content.schemas import Generate
from app.content.service import GENERATE
from app.database.index_advisor.inventory import Busy
from app.database.index_advisor.maintenance import run_once
from app.media.schemas import MakeVariants
from app.media.service import MAKE_VARIANTS
from app.queue import Consumer, EmptyBody, Priority, RetryLater, Tasks
from app.queue.worker_registry import WorkerRegistry
from app.redis.lease import LeaseLost
from app.services import Services
from app.settings import Advisor
from app.telemetry import business_metrics, metrics

log = structlog.get_logger()

_SLOTS: Final = 4
# Images and texts of the free plan may take up to a minute: one slot is for jobs of a higher priority.
_LOW_SLOTS: Final = 3
_WATCH_SECONDS: Final = 5.0
_AUDIENCE_SECONDS: Final = 30.0
_HOUR_SECONDS: Final = 3600.0
_GRACE_SECONDS: Final = 20.0


@asynccontextmanager
async def working(services: Services) -> AsyncIterator[None]:
    """Run jobs while the context is open; at its end, complete running jobs or return them to the queue."""
    tasks = Tasks()
    variant_jobs = services.variant_jobs
    tasks.add(MAKE_VARIANTS, MakeVariants, variant_jobs.make_variants, on_dead=variant_jobs.give_up)
    tasks.add(GENERATE, Generate, services.generation.generate, on_dead=services.generation.give_up)
    tasks.every(_WATCH_SECONDS, "sweep", partial(_sweep, services), seconds=60)
    hourly = partial(tasks.every, _HOUR_SECONDS, priority=Priority.LOW)
    hourly("add-up-days", partial(_roll_up_days, services))
    tasks.every(ERASURE_SECONDS / 2, "erase-accounts", partial(_erase_accounts, services))
    if services.settings.mongodb.advisor is not Advisor.OFF:
        # Building an index may take long; the time limit prevents a second run in the meantime.
        hourly("maintain-indexes", partial(_maintain_indexes, services), seconds=_HOUR_SECONDS)
    consumer = Consumer(services.queue, tasks, slots=_SLOTS, max_low=_LOW_SLOTS)
    registry = WorkerRegistry(services.queue_redis)
    running = consumer.run(), _watch(services, registry), _update_audience(services.summaries)
    loops = [asyncio.create_task(loop) for loop in running]
    drained = asyncio.create_task(_stop_when_draining(services, consumer, registry))
    try:
        with metrics.registered(metrics.workers, metrics.backlog, business_metrics.active_accounts):
            yield
    finally:
        drained.cancel()
        await consumer.stop(_GRACE_SECONDS)
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, drained, return_exceptions=True)


async def _stop_when_draining(services: Services, consumer: Consumer, registry: WorkerRegistry) -> None:
    # A worker receives no traffic that a drain would wait for, so it stops taking jobs immediately.
    await services.lifecycle.draining.wait()
    with contextlib.suppress(*REDIS_ERRORS):  # the registration expires without a heartbeat
        await registry.deregister(services.settings.pod)
    await consumer.stop(_GRACE_SECONDS)


class SweepCounts(msgspec.Struct):
    """Number of requeued jobs."""

    contents: int
    media: int
    deletions: int


class RolledUp(msgspec.Struct):
    """Number of days whose analytics were stored."""

    days: int


@contextlib.contextmanager
def _retry_on_outage() -> Iterator[None]:
    """Raise :class:`RetryLater` instead of the errors of an unavailable dependency."""
    try:
        yield
    except (LeaseLost, PyMongoError, *REDIS_ERRORS) as error:
        raise RetryLater(f"interrupted: {type(error).__name__}") from error


async def _sweep(services: Services, _: EmptyBody) -> SweepCounts:
    """Requeue jobs that the queue lost, according to the documents in MongoDB, the source of truth."""
    with _retry_on_outage():
        swept = SweepCounts(
            await services.generation.requeue(),
            await services.variant_jobs.requeue(),
            await services.deletions.sweep(),
        )
    if swept.contents or swept.media:
        log.warning("requeued lost jobs", contents=swept.contents, media=swept.media)
    return swept


async def _erase_accounts(services: Services, _: EmptyBody) -> None:
    await services.recovery.erase(services.feed, services.media)


async def _roll_up_days(services: Services, _: EmptyBody) -> RolledUp:
    """Store the analytics of past days."""
    with _retry_on_outage():
        return RolledUp(await services.summaries.roll_up(clock.now().date()))


async def _maintain_indexes(services: Services, _: EmptyBody) -> None:
    """Run the index advisor in the mode of the settings."""
    try:
        with _retry_on_outage():
            await run_once(services.database, services.redis, services.settings.mongodb)
    except Busy:
        log.info("index maintenance already running")


async def _update_audience(summaries: Summaries) -> None:
    """Update the metric of active accounts until cancelled."""
    while True:
        try:
            audience = await summaries.audience()
            for window in ("day", "week", "month"):
                business_metrics.active_accounts.labels(window).set(getattr(audience, window))
        except REDIS_ERRORS as error:
            log.warning("active accounts metric update failed", error=type(error).__name__)
        await asyncio.sleep(_AUDIENCE_SECONDS)


async def _watch(services: Services, registry: WorkerRegistry) -> None:
    """Update the queue metrics until cancelled."""
    while True:
        try:
            depth = await services.queue.depth()
            for priority, ready in depth.ready.items():
                metrics.queue_jobs.labels(f"ready_{priority.name.lower()}").set(ready)
            metrics.queue_jobs.labels("delayed").set(depth.delayed)
            metrics.queue_jobs.labels("leased").set(depth.leased)
            metrics.queue_jobs.labels("dead").set(depth.dead)
            metrics.queue_age.set(depth.oldest_seconds)
            if not services.lifecycle.draining.is_set():
                workers = await registry.heartbeat(services.settings.pod)
                metrics.workers.set(workers)
                # All workers report the same value, so the autoscaler's average over them is that value.
                metrics.backlog.set(sum(depth.ready.values()) / workers)
        except REDIS_ERRORS as error:
            log.warning("queue metrics collection failed", error=type(error).__name__)
        await asyncio.sleep(_WATCH_SECONDS)
