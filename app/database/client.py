"""The service's database, with its eyes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from redis.asyncio import Redis

from app.connections import Database, open_mongodb
from app.database.index_advisor.explain import explain
from app.database.index_advisor.query_stats import Workload
from app.database.monitor import Commands, Pools
from app.settings import MongoSettings
from app.telemetry import metrics


@asynccontextmanager
async def open_database(
    settings: MongoSettings, redis: Redis, pools: Pools, *, app_name: str
) -> AsyncIterator[Database]:
    """A database whose connections, commands and slow queries are among the metrics, and whose queries all
    pods tell Redis of, for the index advisor.
    """
    workload = Workload(settings.slow)
    commands = Commands(workload.finished)
    async with open_mongodb(settings, app_name=app_name, listeners=[pools, commands]) as database:
        workload.explain = partial(explain, database)
        watching = asyncio.create_task(workload.run(redis))
        try:
            with metrics.registered(pools, commands, workload):
                yield database
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
