"""The indexes looked after without being asked: by one worker, about once an hour."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from prometheus_client import Gauge
from pymongo.errors import PyMongoError
from redis import RedisError
from redis.asyncio import Redis

from app import clock
from app.connections import Database
from app.database.advise import declared
from app.database.advisor import Action, advise
from app.database.indexes import Busy, apply, take_stock
from app.database.lease import LeaseLost
from app.database.workload import told
from app.settings import Advisor

log = structlog.get_logger()

_LOOK_SECONDS: Final = 60.0
_EVERY_SECONDS: Final = 3600

advice_gauge: Final = Gauge(
    "kingdom_index_advice", "Changes of indexes that the queries of the last week call for.", ("action",)
)


async def upkeep(database: Database, redis: Redis, mode: Advisor, pod: str) -> None:
    """Until cancelled: advise, or with :attr:`Advisor.APPLY` also act on it."""
    while mode is not Advisor.OFF:
        await asyncio.sleep(_LOOK_SECONDS)  # a pod that has just started has told of nothing yet
        try:
            if await redis.set("index-upkeep", pod, nx=True, ex=_EVERY_SECONDS):
                await look_after(database, redis, mode)
        except Busy:
            log.info("indexes are being changed by another process")
        except (LeaseLost, PyMongoError, RedisError) as error:
            log.warning("the upkeep of indexes was interrupted", error=type(error).__name__)


async def look_after(database: Database, redis: Redis, mode: Advisor) -> None:
    """One look; raises what the drivers raise, and :class:`Busy`."""
    stock = await take_stock(database, declared())
    advice = advise(await told(redis), stock.indexes, now=clock.now())
    for action in Action:
        advice_gauge.labels(action.value).set(sum(each.action is action for each in advice))
    for each in advice:
        log.info("index advice", action=each.action, collection=each.collection, name=each.name, why=each.why)
    if mode is Advisor.APPLY and advice:
        for said in await apply(database, redis, advice, declared()):
            log.warning("index upkeep", result=said)
