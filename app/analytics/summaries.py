"""What the events add up to, by day.

Counts are exact and come from the events themselves. A day that is over is added up once an hour by a worker
for as long as late events may still come, and then stands (``event_days``), also when its events are gone;
today is added up when somebody asks, at most every ten seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

import msgspec
from msgspec import UNSET
from redis.asyncio import Redis

from app import clock
from app.analytics.active_accounts import Activity
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
from app.database.concerns import reported
from app.database.query_cache import Results

_LATE_DAYS: Final = 8  # events may be a week old when they come
_TODAY_SECONDS: Final = 10.0


class Counts(msgspec.Struct):
    """Events of a day by name."""

    day: str
    events: list[EventCount]


class Summaries:
    """Reads events, keeps days."""

    def __init__(self, database: Database, redis: Redis, activity: Activity) -> None:
        self._events = reported(database, "events")
        self._days = database["event_days"]
        self._activity = activity
        self.results: Results[Counts] = Results(redis, "event-days", Counts, seconds=_TODAY_SECONDS)

    async def audience(self) -> Audience:
        """Active accounts. Raises ``redis.RedisError``."""
        return await self._activity.audience(clock.now().date())

    async def platform(self, query: DaysQuery) -> Summary:
        """Everybody's events by day. Raises ``redis.RedisError``."""
        first, last = span(query)
        days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
        counts = await self._counts(days)
        slots = [day.isoformat() for day in days]
        for each in counts:
            slots += [f"{each.day}/{used.name}" for used in each.events]
        accounts = dict(zip(slots, await self._activity.counts(slots), strict=True))
        return Summary(
            first,
            last,
            [
                DaySummary(
                    day,
                    accounts[each.day],
                    [
                        EventUse(used.name, used.count, accounts[f"{each.day}/{used.name}"])
                        for used in each.events
                    ],
                )
                for day, each in zip(days, counts, strict=True)
            ],
        )

    async def own(self, account: str, query: DaysQuery) -> OwnSummary:
        """An account's own events."""
        first, last = span(query)
        stages: list[Document] = [
            {"$match": {"account": account, "day": {"$gte": first.isoformat(), "$lte": last.isoformat()}}},
            {"$group": {"_id": "$slot", "count": {"$sum": 1}}},
        ]
        found = await (await self._events.aggregate(stages)).to_list()
        totals: dict[str, int] = {}
        for each in found:
            name = each["_id"].partition("/")[2]
            totals[name] = totals.get(name, 0) + each["count"]
        active = {each["_id"].partition("/")[0] for each in found}
        events = [EventCount(EventName(name), count) for name, count in sorted(totals.items())]
        return OwnSummary(first, last, len(active), events)

    async def add_up(self, today: date) -> int:
        """Write down the days that are over and may have changed; how many."""
        days = [today - timedelta(days=back) for back in range(1, _LATE_DAYS + 1)]
        for day in days:
            counts = await self._asked(day.isoformat())
            value = {"events": msgspec.to_builtins(counts.events)}
            await self._days.update_one({"_id": counts.day}, {"$set": value}, upsert=True)
        return len(days)

    async def _counts(self, days: Sequence[date]) -> list[Counts]:
        today = clock.now().date()
        names = [day.isoformat() for day in days if day < today]
        kept = await self._days.find({"_id": {"$in": names}}).to_list() if names else []
        known = {
            document["_id"]: Counts(document["_id"], msgspec.convert(document["events"], list[EventCount]))
            for document in kept
        }
        return [known.get(day.isoformat()) or await self._live(day.isoformat()) for day in days]

    async def _live(self, day: str) -> Counts:
        return await self.results.fetch(day, "", lambda: self._asked(day))

    async def _asked(self, day: str) -> Counts:
        stages: list[Document] = [
            {"$match": {"day": day}},
            {"$group": {"_id": "$name", "count": {"$sum": 1}}},
        ]
        found = await (await self._events.aggregate(stages)).to_list()
        events = [EventCount(EventName(each["_id"]), each["count"]) for each in found]
        return Counts(day, sorted(events, key=lambda each: each.name))


def span(query: DaysQuery) -> tuple[date, date]:
    """The first and the last of the days that are meant."""
    last = clock.now().date() if query.last is UNSET else query.last
    try:
        return last - timedelta(days=query.days - 1), last
    except OverflowError:  # the calendar begins later
        return date.min, last
