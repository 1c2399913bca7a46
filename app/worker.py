"""What the worker role does besides answering its probes: the jobs, and the watch over them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import msgspec
import structlog
from pymongo.errors import PyMongoError
from redis import RedisError

from app import business, metrics
from app.analytics import upkeep as analytics
from app.content.schemas import Generate
from app.content.service import GENERATE
from app.database.upkeep import upkeep
from app.media.schemas import MakeVariants
from app.media.service import MAKE_VARIANTS
from app.queue import Consumer, Nothing, Retry, Tasks
from app.queue.attendance import Attendance
from app.services import Services

log = structlog.get_logger()

_SLOTS: Final = 4
_WATCH_SECONDS: Final = 5.0
_GRACE_SECONDS: Final = 20.0


@asynccontextmanager
async def working(services: Services) -> AsyncIterator[None]:
    """Do jobs while the context is open; at its end, finish what runs or hand it back."""
    tasks = Tasks()
    tasks.add(MAKE_VARIANTS, MakeVariants, services.processing.make_variants)
    tasks.add(GENERATE, Generate, services.making.generate, on_dead=services.making.give_up)
    tasks.every(_WATCH_SECONDS, "sweep", partial(_sweep, services), seconds=60)
    consumer = Consumer(services.queue, tasks, slots=_SLOTS)
    attendance = Attendance(services.redis)
    loops = [asyncio.create_task(consumer.run()), asyncio.create_task(_watch(services, attendance))]
    mongodb = services.settings.mongodb
    looking = upkeep(services.database, services.redis, mongodb.advisor, services.settings.pod)
    counting = analytics.upkeep(services.summaries, services.redis, services.settings.pod)
    loops += [asyncio.create_task(looking), asyncio.create_task(counting)]
    drained = asyncio.create_task(_stop_when_draining(services, consumer, attendance))
    try:
        with metrics.shown(metrics.workers, metrics.backlog, business.active_accounts):
            yield
    finally:
        drained.cancel()
        await consumer.stop(_GRACE_SECONDS)
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, drained, return_exceptions=True)


async def _stop_when_draining(services: Services, consumer: Consumer, attendance: Attendance) -> None:
    # A worker gets no traffic that a drain would wait for: it stops taking jobs at once.
    await services.lifecycle.draining.wait()
    with contextlib.suppress(RedisError):  # silence says the same, a little later
        await attendance.gone(services.settings.pod)
    await consumer.stop(_GRACE_SECONDS)


class Swept(msgspec.Struct):
    """How many jobs were handed in again."""

    contents: int
    media: int


async def _sweep(services: Services, _: Nothing) -> Swept:
    """Hand in again what the queue lost: what is written down and not done is the truth, jobs are not."""
    try:
        swept = Swept(await services.making.requeue(), await services.media.requeue())
    except PyMongoError as error:
        raise Retry(f"MongoDB cannot be asked: {type(error).__name__}") from error
    if swept.contents or swept.media:
        log.warning("jobs handed in again", contents=swept.contents, media=swept.media)
    return swept


async def _watch(services: Services, attendance: Attendance) -> None:
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
                workers = await attendance.here(services.settings.pod)
                metrics.workers.set(workers)
                # Every worker says the same, so the autoscaler's average over them is the number itself.
                metrics.backlog.set(sum(depth.ready.values()) / workers)
        except RedisError as error:
            log.warning("the watch over the queue was interrupted", error=type(error).__name__)
        await asyncio.sleep(_WATCH_SECONDS)
