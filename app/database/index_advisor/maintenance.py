"""The indexes looked after without being asked, once an hour."""

from __future__ import annotations

from typing import Final

import structlog
from prometheus_client import Gauge
from redis.asyncio import Redis

from app import clock
from app.connections import Database, open_members
from app.database.index_advisor.advisor import Action, advise
from app.database.index_advisor.cli import declared
from app.database.index_advisor.inventory import apply, take_stock
from app.database.index_advisor.query_stats import told
from app.settings import Advisor, MongoSettings

log = structlog.get_logger()

advice_gauge: Final = Gauge(
    "kingdom_index_advice", "Changes of indexes that the queries of the last week call for.", ("action",)
)


async def look_after(database: Database, redis: Redis, settings: MongoSettings) -> None:
    """One look; raises what the drivers raise, and :class:`Busy`."""
    async with open_members(settings, database, app_name="kingdom-advise") as members:
        await _look_after(database, members, redis, settings.advisor)


async def _look_after(database: Database, members: list[Database], redis: Redis, mode: Advisor) -> None:
    stock = await take_stock(database, members, declared())
    advice = advise(await told(redis), stock.indexes, now=clock.now())
    for action in Action:
        advice_gauge.labels(action.value).set(sum(each.action is action for each in advice))
    for each in advice:
        log.info("index advice", action=each.action, collection=each.collection, name=each.name, why=each.why)
    if mode is Advisor.APPLY and advice:
        for said in await apply(database, members, redis, advice, declared()):
            log.warning("index upkeep", result=said)
