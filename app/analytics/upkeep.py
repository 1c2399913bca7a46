"""What workers do for the numbers: one adds up days once an hour, all show how many accounts are active."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from pymongo.errors import PyMongoError
from redis import RedisError
from redis.asyncio import Redis

from app import business, clock
from app.analytics.summaries import Summaries

log = structlog.get_logger()

_LOOK_SECONDS: Final = 30.0
_EVERY_SECONDS: Final = 3600


async def upkeep(summaries: Summaries, redis: Redis, pod: str) -> None:
    """Until cancelled."""
    while True:
        try:
            await show_audience(summaries)
            if await redis.set("analytics-upkeep", pod, nx=True, ex=_EVERY_SECONDS):
                await summaries.add_up(clock.now().date())
        except (PyMongoError, RedisError) as error:
            log.warning("the upkeep of analytics was interrupted", error=type(error).__name__)
        await asyncio.sleep(_LOOK_SECONDS)


async def show_audience(summaries: Summaries) -> None:
    """Put the active accounts among the metrics."""
    audience = await summaries.audience()
    for window in ("day", "week", "month"):
        business.active_accounts.labels(window).set(getattr(audience, window))
