"""Events taken in: validated before, written together, counted once.

A request waits until its events are written, so nothing acknowledged is only in a pod's memory. Those that
arrive while a write is under way go together in the next one (group commit, as databases do it): alone a
request waits for nobody, and under load a write carries hundreds of events.

An event's id is the account's and the app's together, and the collection's own key: told of again within
90 days, by whichever pod, it is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pymongo import ASCENDING, IndexModel
from pymongo.errors import BulkWriteError

from app import clock
from app.analytics.active_accounts import Activity
from app.analytics.schemas import Event, EventsTaken
from app.connections import Database, Document
from app.database.concerns import counted
from app.database.indexes import create_indexes
from app.http.problems import UNAVAILABLE, Problem
from app.redis.batcher import Together
from app.telemetry import business_metrics

KEPT: Final = timedelta(days=90)
_EARLIEST: Final = timedelta(days=7)  # an app may have been offline for so long
_LATEST: Final = timedelta(minutes=5)  # clocks differ
_MOST_AT_ONCE: Final = 1_000
_MOST_WAITING: Final = 20_000
_DUPLICATE: Final = 11000


class Ingestion:
    """Events into MongoDB."""

    INDEXES = (
        IndexModel([("account", ASCENDING), ("day", ASCENDING)], name="own"),
        IndexModel("day", name="day"),
        IndexModel("seen.until", expireAfterSeconds=0, name="over"),
    )

    def __init__(self, database: Database, activity: Activity) -> None:
        self._events = counted(database, "events")
        self._activity = activity
        self._count = 0  # that wait
        self._writing: Together[list[Document], EventsTaken] = Together(
            self._write, most=_MOST_AT_ONCE, weigh=len
        )

    async def prepare(self) -> None:
        """Make the indexes."""
        await create_indexes(self._events, self.INDEXES)

    async def take(self, account: str, events: Sequence[Event]) -> EventsTaken:
        """Write the events of an account; 503 when more wait than a pod should hold. Raises what the driver
        raises, and then they may be sent again.
        """
        if self._count + len(events) > _MOST_WAITING:
            raise Problem(UNAVAILABLE, "Too many events at once.", headers={"retry-after": "2"})
        now = clock.now()
        self._count += len(events)
        return await self._writing.ask([_document(account, event, now) for event in events])

    async def _write(self, batch: Sequence[list[Document]]) -> list[EventsTaken]:
        documents = [document for part in batch for document in part]
        self._count -= len(documents)
        known: set[int] = set()
        try:
            await self._events.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            failed = error.details["writeErrors"]
            known = {each["index"] for each in failed if each["code"] == _DUPLICATE}
            if len(known) < len(failed):
                raise
        self._count_in([document for at, document in enumerate(documents) if at not in known])
        taken: list[EventsTaken] = []
        at = 0
        for part in batch:
            again = sum(index in known for index in range(at, at + len(part)))
            at += len(part)
            taken.append(EventsTaken(len(part) - again, again))
        return taken

    def _count_in(self, new: list[Document]) -> None:
        for name, count in Counter(document["name"] for document in new).items():
            business_metrics.events_taken.labels(name).inc(count)
        for document in new:
            self._activity.mark(document["slot"], (document["account"],))


def _document(account: str, event: Event, now: datetime) -> Document:
    at = event.at if now - _EARLIEST < event.at < now + _LATEST else now
    day = f"{at.astimezone(now.tzinfo):%Y-%m-%d}"
    details = {"content": event.content, "screen": event.screen, "seconds": event.seconds}
    return {
        "_id": f"{account}:{event.id}",
        "account": account,
        "name": event.name.value,
        "day": day,
        "slot": f"{day}/{event.name.value}",
        "seen": {"at": at, "until": now + KEPT},
        **{name: value for name, value in details.items() if value is not None},
    }
