"""Index maintenance: an hourly run of the index advisor in the workers."""

from __future__ import annotations

from typing import Final

import structlog
from prometheus_client import Gauge
from redis.asyncio import Redis

from app import clock
from app.connections import Database, open_members
from app.database.index_advisor.advisor import Action, advise
from app.database.index_advisor.cli import declared
from app.database.index_advisor.inventory import apply, read_indexes
from app.database.index_advisor.query_stats import load_stats
from app.settings import Advisor, MongoSettings

log = structlog.get_logger()

advice_gauge: Final = Gauge(
    "kingdom_index_advice", "Index changes recommended from the past week's queries.", ("action",)
)


async def run_once(database: Database, redis: Redis, settings: MongoSettings) -> None:
    """Run one index-advice pass. Raises errors of PyMongo and redis-py, and :class:`Busy`."""
    async with open_members(settings, database, app_name="kingdom-advise") as members:
        await _run_once(database, members, redis, settings.advisor)


async def _run_once(database: Database, members: list[Database], redis: Redis, mode: Advisor) -> None:
    inventory = await read_indexes(database, members, declared())
    advice = advise(await load_stats(redis), inventory.indexes, now=clock.now())
    for action in Action:
        advice_gauge.labels(action.value).set(sum(each.action is action for each in advice))
    for each in advice:
        log.info("index advice", action=each.action, collection=each.collection, name=each.name, why=each.why)
    if mode is Advisor.APPLY and advice:
        for result in await apply(database, members, redis, advice, declared()):
            log.warning("index change attempted", result=result)
