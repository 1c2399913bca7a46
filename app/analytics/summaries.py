"""Daily summaries of client events.

Counts are exact. A worker aggregates past days once per hour for as long as late events may arrive and stores
the result (``event_days``), which remains after the events have expired. The current day is aggregated on
demand, at most every ten seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

import msgspec
from msgspec import UNSET
from redis.asyncio import Redis

from app import clock
from app.analytics.active_accounts import ActiveAccounts
from app.analytics.schemas import (
    Audience,
    DaysQuery,
    DaySummary,
    EventCount,
    EventName,
    EventUse,
    OwnSummary,
    Summary,
)
from app.connections import Database, Document
from app.database.concerns import from_secondary
from app.database.query_cache import QueryCache

_LATE_DAYS: Final = 8  # events may arrive a week late
_TODAY_SECONDS: Final = 10.0


class DayCounts(msgspec.Struct):
    """Event counts of a day by name."""

    day: str
    events: list[EventCount]


class Summaries:
    """Aggregates events and stores daily counts."""

    def __init__(self, database: Database, redis: Redis, active_accounts: ActiveAccounts) -> None:
        self._events = from_secondary(database, "events")
        self._days = database["event_days"]
        self._active_accounts = active_accounts
        self.results: QueryCache[DayCounts] = QueryCache(
            redis, "event-days", DayCounts, seconds=_TODAY_SECONDS
        )

    async def audience(self) -> Audience:
        """Return the number of active accounts. Raises ``redis.RedisError``."""
        return await self._active_accounts.audience(clock.now().date())

    async def platform(self, query: DaysQuery) -> Summary:
        """Return the events of all accounts by day. Raises ``redis.RedisError``."""
        first, last = span(query)
        days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
        counts = await self._counts(days)
        slots = [day.isoformat() for day in days]
        for row in counts:
            slots += [f"{row.day}/{event.name}" for event in row.events]
        accounts = dict(zip(slots, await self._active_accounts.counts(slots), strict=True))
        return Summary(
            first,
            last,
            [
                DaySummary(
                    day,
                    accounts[row.day],
                    [
                        EventUse(event.name, event.count, accounts[f"{row.day}/{event.name}"])
                        for event in row.events
                    ],
                )
                for day, row in zip(days, counts, strict=True)
            ],
        )

    async def own(self, account: str, query: DaysQuery) -> OwnSummary:
        """Return the events of one account."""
        first, last = span(query)
        stages: list[Document] = [
            {"$match": {"account": account, "day": {"$gte": first.isoformat(), "$lte": last.isoformat()}}},
            {"$group": {"_id": "$slot", "count": {"$sum": 1}}},
        ]
        found = await (await self._events.aggregate(stages)).to_list()
        totals: dict[str, int] = {}
        for row in found:
            name = row["_id"].partition("/")[2]
            totals[name] = totals.get(name, 0) + row["count"]
        active = {row["_id"].partition("/")[0] for row in found}
        events = [EventCount(EventName(name), count) for name, count in sorted(totals.items())]
        return OwnSummary(first, last, len(active), events)

    async def roll_up(self, today: date) -> int:
        """Store the counts of past days that may have changed. Return the number of days."""
        days = [today - timedelta(days=back) for back in range(1, _LATE_DAYS + 1)]
        for day in days:
            counts = await self._aggregate(day.isoformat())
            value = {"events": msgspec.to_builtins(counts.events)}
            await self._days.update_one({"_id": counts.day}, {"$set": value}, upsert=True)
        return len(days)

    async def _counts(self, days: Sequence[date]) -> list[DayCounts]:
        today = clock.now().date()
        names = [day.isoformat() for day in days if day < today]
        stored = await self._days.find({"_id": {"$in": names}}).to_list() if names else []
        known = {
            document["_id"]: DayCounts(document["_id"], msgspec.convert(document["events"], list[EventCount]))
            for document in stored
        }
        return [known.get(day.isoformat()) or await self._cached(day.isoformat()) for day in days]

    async def _cached(self, day: str) -> DayCounts:
        return await self.results.fetch(day, "", lambda: self._aggregate(day))

    async def _aggregate(self, day: str) -> DayCounts:
        stages: list[Document] = [
            {"$match": {"day": day}},
            {"$group": {"_id": "$name", "count": {"$sum": 1}}},
        ]
        found = await (await self._events.aggregate(stages)).to_list()
        events = [EventCount(EventName(row["_id"]), row["count"]) for row in found]
        return DayCounts(day, sorted(events, key=lambda row: row.name))


def span(query: DaysQuery) -> tuple[date, date]:
    """Return the first and last day of the query."""
    last = clock.now().date() if query.last is UNSET else query.last
    try:
        return last - timedelta(days=query.days - 1), last
    except OverflowError:  # before the earliest representable date
        return date.min, last
