"""Summaries: counts by day and name, past days stored, ranges inclusive."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from app import clock
from app.analytics.active_accounts import ActiveAccounts
from app.analytics.schemas import DaysQuery
from app.analytics.summaries import Summaries, span
from app.connections import Database

pytestmark = pytest.mark.anyio


class Setup:
    def __init__(self, database: Database, redis: Redis) -> None:
        self.database, self.accounts = database, ActiveAccounts(redis)
        self.summaries = Summaries(database, redis, self.accounts)
        self.today = clock.now().date()

    async def insert(self, account: str, name: str, *, age: int, count: int = 1) -> None:
        day = (self.today - timedelta(days=age)).isoformat()
        event: dict[str, Any] = {"account": account, "name": name, "day": day, "slot": f"{day}/{name}"}
        await self.database["events"].insert_many([dict(event) for _ in range(count)])


@pytest.fixture
def setup(own_database: Database, redis: Redis) -> Setup:
    return Setup(own_database, redis)


def test_range_ends_today_or_on_the_given_day() -> None:
    today = clock.now().date()
    assert span(DaysQuery(days=1)) == (today, today)
    assert span(DaysQuery(days=3, last=date(2026, 3, 2))) == (date(2026, 2, 28), date(2026, 3, 2))
    assert span(DaysQuery(days=30, last=date(1, 1, 2))) == (date.min, date(1, 1, 2))


async def test_own_summary_counts_events_and_active_days_of_the_range(setup: Setup) -> None:
    await setup.insert("ada", "app.opened", age=0, count=2)
    await setup.insert("ada", "content.viewed", age=0)
    await setup.insert("ada", "app.opened", age=2)
    await setup.insert("ada", "app.opened", age=3)
    await setup.insert("eve", "app.opened", age=0)
    own = await setup.summaries.own("ada", DaysQuery(days=3))
    counts = {event.name.value: event.count for event in own.events}
    assert (counts, own.active_days) == ({"app.opened": 3, "content.viewed": 1}, 2)


async def test_platform_summary_has_every_day_of_the_range_oldest_first(setup: Setup) -> None:
    await setup.insert("ada", "app.opened", age=0)
    await setup.insert("eve", "app.opened", age=1, count=2)
    setup.accounts.mark(setup.today.isoformat(), ["ada"])
    await setup.accounts.flush()
    summary = await setup.summaries.platform(DaysQuery(days=3))
    assert [(day.active, [event.count for event in day.events]) for day in summary.days] == [
        (0, []),
        (0, [2]),
        (1, [1]),
    ]
    assert (summary.first, summary.last) == (setup.today - timedelta(days=2), setup.today)


async def test_stored_days_remain_after_their_events_have_expired(setup: Setup) -> None:
    await setup.insert("ada", "app.opened", age=1, count=4)
    await setup.insert("ada", "app.opened", age=9, count=4)
    assert await setup.summaries.roll_up(setup.today) == 8
    await setup.database["events"].delete_many({})
    summary = await setup.summaries.platform(DaysQuery(days=10))
    counted = {(setup.today - day.day).days: day.events[0].count for day in summary.days if day.events}
    assert counted == {1: 4}, "days before the rolled-up week are not stored"
