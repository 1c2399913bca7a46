"""Index maintenance: advice from recorded queries is applied only in the mode that allows it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from redis.asyncio import Redis

from app.connections import Database, open_mongodb
from app.database.index_advisor.maintenance import run_once
from app.database.index_advisor.query_stats import QueryRecorder
from app.database.monitor import CommandMetrics
from app.settings import Advisor, MongoSettings
from tests.app.database.index_advisor.conftest import fields

pytestmark = pytest.mark.anyio


async def test_index_for_recorded_queries_is_created_only_in_apply_mode(
    settings: MongoSettings, database: Database, redis: Redis
) -> None:
    await database["t"].insert_many([{"owner": str(number % 7), "at": number} for number in range(50)])
    recorder = QueryRecorder(slow=10)
    listeners = [CommandMetrics(recorder.finished)]
    async with open_mongodb(settings, app_name="test", listeners=listeners) as observed:
        for number in range(20):
            await observed["t"].find({"owner": str(number % 7)}).sort("at", -1).to_list()
    await recorder.flush_stats(redis)
    await run_once(database, redis, replace(settings, advisor=Advisor.ADVISE))
    assert await fields(database) == set()
    await run_once(database, redis, replace(settings, advisor=Advisor.APPLY))
    assert await fields(database) == {("owner", "at")}
    assert len(await database["t"].find({"owner": "3"}).sort("at", -1).to_list()) == 7
