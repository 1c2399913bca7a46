"""The instrumented client: metrics and query statistics while it is open."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from app.database.client import open_database
from app.database.monitor import PoolMetrics
from app.settings import MongoAuth, MongoSettings
from app.telemetry import metrics
from tests.support.backends import Platform

pytestmark = pytest.mark.anyio


async def test_commands_are_measured_while_the_client_is_open(platform: Platform, redis: Redis) -> None:
    url = f"mongodb://127.0.0.1:{platform.mongodb.port}/"
    settings = replace(MongoSettings(url, "measured", MongoAuth.CERTIFICATE, None), slow=0.0)
    pools = PoolMetrics(settings.pool)
    series = 'kingdom_mongodb_command_seconds_count{collection="measured_things",command="find"}'
    async with open_database(settings, redis, pools, app_name="test") as database:
        things: Any = database["measured_things"]
        assert await things.find_one({"owner": "a"}) is None
        text = metrics.render().decode()
        assert f"{series} 1.0" in text
        assert 'kingdom_mongodb_slow_queries_total{collection="measured_things"} 1.0' in text
        assert pools.open >= 1
    assert series not in metrics.render().decode()
