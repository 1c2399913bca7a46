"""Events taken in: validated before, written together, counted once.

A request waits until its events are written, so nothing acknowledged is only in a pod's memory. Those that
arrive while a write is under way go together in the next one (group commit, as databases do it): alone a
request waits for nobody, and under load a write carries hundreds of events.

An event's id is the account's and the app's together, and the collection's own key: told of again within
90 days, by whichever pod, it is known.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextvars import Context
from datetime import datetime, timedelta
from typing import Final

from pymongo import ASCENDING, IndexModel
from pymongo.errors import BulkWriteError

from app import business, clock
from app.analytics.activity import Activity
from app.analytics.schemas import Event, EventsTaken
from app.connections import Database, Document
from app.database.purposes import counted
from app.problems import UNAVAILABLE, Problem

KEPT: Final = timedelta(days=90)
_EARLIEST: Final = timedelta(days=7)  # an app may have been offline for so long
_LATEST: Final = timedelta(minutes=5)  # clocks differ
_MOST_AT_ONCE: Final = 1_000
_MOST_WAITING: Final = 20_000
_DUPLICATE: Final = 11000

_Batch = tuple[list[Document], asyncio.Future[EventsTaken]]


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
        self._waiting: list[_Batch] = []
        self._count = 0
        self._writing: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._events.create_indexes(list(self.INDEXES))

    async def take(self, account: str, events: Sequence[Event]) -> EventsTaken:
        """Write the events of an account; 503 when more wait than a pod should hold. Raises what the driver
        raises, and then they may be sent again.
        """
        if self._count + len(events) > _MOST_WAITING:
            raise Problem(UNAVAILABLE, "Too many events at once.", headers={"retry-after": "2"})
        now = clock.now()
        taken: asyncio.Future[EventsTaken] = asyncio.get_running_loop().create_future()
        self._waiting.append(([_document(account, event, now) for event in events], taken))
        self._count += len(events)
        if self._writing is None:
            # In a context of its own: it writes for everybody, and must not end at the first one's deadline.
            self._writing = asyncio.create_task(self._write_all(), context=Context())
        return await taken

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch: list[_Batch] = []
                size = 0
                while self._waiting and size + len(self._waiting[0][0]) <= _MOST_AT_ONCE:
                    batch.append(self._waiting.pop(0))
                    size += len(batch[-1][0])
                self._count -= size
                await self._write(batch)
        finally:
            self._writing = None

    async def _write(self, batch: list[_Batch]) -> None:
        documents = [document for part, _ in batch for document in part]
        known: set[int] = set()
        try:
            await self._events.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            failed = error.details["writeErrors"]
            known = {each["index"] for each in failed if each["code"] == _DUPLICATE}
            if len(known) < len(failed):
                _fail(batch, error)
                return
        except Exception as error:  # whatever it is: those who wait must hear of it
            _fail(batch, error)
            return
        self._count_in([document for at, document in enumerate(documents) if at not in known])
        at = 0
        for part, taken in batch:
            again = sum(index in known for index in range(at, at + len(part)))
            at += len(part)
            if not taken.done():
                taken.set_result(EventsTaken(len(part) - again, again))

    def _count_in(self, new: list[Document]) -> None:
        for name, count in Counter(document["name"] for document in new).items():
            business.events_taken.labels(name).inc(count)
        for document in new:
            self._activity.mark(document["slot"], (document["account"],))


def _fail(batch: list[_Batch], error: Exception) -> None:
    for _, taken in batch:
        if not taken.done():
            taken.set_exception(error)


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
