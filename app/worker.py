"""What the worker role does besides answering its probes: the jobs, and the watch over them."""

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
from app.connections import REDIS_GONE
from app.content.schemas import Generate
from app.content.service import GENERATE
from app.database.index_advisor.inventory import Busy
from app.database.index_advisor.maintenance import look_after
from app.media.schemas import MakeVariants
from app.media.service import MAKE_VARIANTS
from app.queue import Consumer, EmptyBody, Priority, RetryLater, Tasks
from app.queue.worker_registry import WorkerRegistry
from app.redis.cancellation import pause
from app.redis.lease import LeaseLost
from app.services import Services
from app.settings import Advisor
from app.telemetry import business_metrics, metrics

log = structlog.get_logger()

_SLOTS: Final = 4
_WATCH_SECONDS: Final = 5.0
_AUDIENCE_SECONDS: Final = 30.0
_HOUR_SECONDS: Final = 3600.0
_GRACE_SECONDS: Final = 20.0


@asynccontextmanager
async def working(services: Services) -> AsyncIterator[None]:
    """Do jobs while the context is open; at its end, finish what runs or hand it back."""
    tasks = Tasks()
    variant_jobs = services.variant_jobs
    tasks.add(MAKE_VARIANTS, MakeVariants, variant_jobs.make_variants, on_dead=variant_jobs.give_up)
    tasks.add(GENERATE, Generate, services.generation.generate, on_dead=services.generation.give_up)
    tasks.every(_WATCH_SECONDS, "sweep", partial(_sweep, services), seconds=60)
    hourly = partial(tasks.every, _HOUR_SECONDS, priority=Priority.LOW)
    hourly("add-up-days", partial(_roll_up_days, services))
    tasks.every(ERASURE_SECONDS / 2, "erase-accounts", partial(_erase_accounts, services))
    if services.settings.mongodb.advisor is not Advisor.OFF:
        # To build an index may take long; a second one is not begun meanwhile.
        hourly("look-after-indexes", partial(_look_after_indexes, services), seconds=_HOUR_SECONDS)
    consumer = Consumer(services.queue, tasks, slots=_SLOTS)
    registry = WorkerRegistry(services.redis)
    running = consumer.run(), _watch(services, registry), _show_audience(services.summaries)
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
    # A worker gets no traffic that a drain would wait for: it stops taking jobs at once.
    await services.lifecycle.draining.wait()
    with contextlib.suppress(*REDIS_GONE):  # silence says the same, a little later
        await registry.deregister(services.settings.pod)
    await consumer.stop(_GRACE_SECONDS)


class SweepCounts(msgspec.Struct):
    """How many jobs were handed in again."""

    contents: int
    media: int
    deletions: int


class RolledUp(msgspec.Struct):
    """How many days were written down."""

    days: int


@contextlib.contextmanager
def _again_later() -> Iterator[None]:
    """An outage is no failure of the job: it is tried again."""
    try:
        yield
    except (LeaseLost, PyMongoError, *REDIS_GONE) as error:
        raise RetryLater(f"it was interrupted: {type(error).__name__}") from error


async def _sweep(services: Services, _: EmptyBody) -> SweepCounts:
    """Hand in again what the queue lost: what is written down and not done is the truth, jobs are not."""
    with _again_later():
        swept = SweepCounts(
            await services.generation.requeue(),
            await services.variant_jobs.requeue(),
            await services.deletions.sweep(),
        )
    if swept.contents or swept.media:
        log.warning("jobs handed in again", contents=swept.contents, media=swept.media)
    return swept


async def _erase_accounts(services: Services, _: EmptyBody) -> None:
    await services.recovery.erase(services.feed, services.media)


async def _roll_up_days(services: Services, _: EmptyBody) -> RolledUp:
    """Write down the days of analytics that are over."""
    with _again_later():
        return RolledUp(await services.summaries.roll_up(clock.now().date()))


async def _look_after_indexes(services: Services, _: EmptyBody) -> None:
    """Advise on indexes, or act on it, as the settings say."""
    try:
        with _again_later():
            await look_after(services.database, services.redis, services.settings.mongodb)
    except Busy:
        log.info("indexes are being changed by another process")


async def _show_audience(summaries: Summaries) -> None:
    """Put the active accounts among the metrics, until cancelled."""
    while True:
        try:
            audience = await summaries.audience()
            for window in ("day", "week", "month"):
                business_metrics.active_accounts.labels(window).set(getattr(audience, window))
        except REDIS_GONE as error:
            log.warning("active accounts cannot be counted", error=type(error).__name__)
        await pause(_AUDIENCE_SECONDS)


async def _watch(services: Services, registry: WorkerRegistry) -> None:
    """Every few seconds: measure the queue."""
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
                # Every worker says the same, so the autoscaler's average over them is the number itself.
                metrics.backlog.set(sum(depth.ready.values()) / workers)
        except REDIS_GONE as error:
            log.warning("the watch over the queue was interrupted", error=type(error).__name__)
        await pause(_WATCH_SECONDS)
