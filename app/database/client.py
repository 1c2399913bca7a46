"""MongoDB client instrumented with metrics and the slow-query log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from redis.asyncio import Redis

from app.connections import Database, open_mongodb
from app.database.index_advisor.explain import explain
from app.database.index_advisor.query_stats import QueryRecorder
from app.database.monitor import CommandMetrics, PoolMetrics
from app.settings import MongoSettings
from app.telemetry import metrics


@asynccontextmanager
async def open_database(
    settings: MongoSettings, redis: Redis, pools: PoolMetrics, *, app_name: str
) -> AsyncIterator[Database]:
    """Open the database and register metrics of its connections, commands and slow queries.

    Query statistics of all pods are collected in Redis, for the index advisor.
    """
    recorder = QueryRecorder(settings.slow)
    commands = CommandMetrics(recorder.finished)
    async with open_mongodb(settings, app_name=app_name, listeners=[pools, commands]) as database:
        recorder.explain = partial(explain, database)
        recording = asyncio.create_task(recorder.run(redis))
        try:
            with metrics.registered(pools, commands, recorder):
                yield database
        finally:
            recording.cancel()
            await asyncio.gather(recording, return_exceptions=True)
