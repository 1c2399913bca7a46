"""Ingestion of client events: validated, written in batches, counted once.

A request waits until its events are written, so acknowledged events are never only in memory. Events that
arrive during a write are written together in the next one (group commit): a single request is written
immediately, and under load one write contains hundreds of events.

The document's ``_id`` combines account ID and event ID, so an event sent again within 90 days, to any pod, is
recognized as a duplicate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pymongo import ASCENDING, IndexModel
from pymongo.errors import BulkWriteError

from app import clock
from app.analytics.active_accounts import ActiveAccounts
from app.analytics.schemas import TIMINGS, Event, EventsIngested
from app.connections import Database, Document
from app.database.concerns import with_w1
from app.database.indexes import create_indexes
from app.http.problems import UNAVAILABLE, Problem
from app.redis.batcher import Batcher
from app.telemetry import business_metrics

RETENTION: Final = timedelta(days=90)
_MAX_AGE: Final = timedelta(days=7)  # an app may have been offline for this long
_MAX_CLOCK_SKEW: Final = timedelta(minutes=5)  # clock skew between client and server
_MAX_BATCH: Final = 1_000
_MAX_PENDING: Final = 20_000
_DUPLICATE: Final = 11000


class Ingestion:
    """Writes client events to MongoDB."""

    INDEXES = (
        IndexModel([("account", ASCENDING), ("day", ASCENDING)], name="own"),
        IndexModel("day", name="day"),
        IndexModel("seen.until", expireAfterSeconds=0, name="over"),
    )

    def __init__(self, database: Database, active_accounts: ActiveAccounts) -> None:
        self._events = with_w1(database, "events")
        self._active_accounts = active_accounts
        self._pending = 0  # events that are not written yet
        self._batcher: Batcher[list[Document], EventsIngested] = Batcher(
            self._write, max_weight=_MAX_BATCH, weight=len
        )

    async def prepare(self) -> None:
        """Create the indexes."""
        await create_indexes(self._events, self.INDEXES)

    async def ingest(self, account: str, events: Sequence[Event]) -> EventsIngested:
        """Write events of an account; return how many were new and how many were duplicates.

        Raises :class:`Problem` (503) if too many events are pending in this pod, and driver errors, after
        which the events can be sent again.
        """
        if self._pending + len(events) > _MAX_PENDING:
            raise Problem(UNAVAILABLE, "Too many events at once.", headers={"retry-after": "2"})
        now = clock.now()
        self._pending += len(events)
        return await self._batcher.submit([_document(account, event, now) for event in events])

    async def _write(self, batch: Sequence[list[Document]]) -> list[EventsIngested]:
        documents = [document for events in batch for document in events]
        self._pending -= len(documents)
        duplicate_indexes: set[int] = set()
        try:
            await self._events.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            failed = error.details["writeErrors"]
            duplicate_indexes = {each["index"] for each in failed if each["code"] == _DUPLICATE}
            if len(duplicate_indexes) < len(failed):
                raise
        self._record([document for at, document in enumerate(documents) if at not in duplicate_indexes])
        results: list[EventsIngested] = []
        at = 0
        for events in batch:
            duplicates = sum(index in duplicate_indexes for index in range(at, at + len(events)))
            at += len(events)
            results.append(EventsIngested(len(events) - duplicates, duplicates))
        return results

    def _record(self, documents: list[Document]) -> None:
        for name, count in Counter(document["name"] for document in documents).items():
            business_metrics.events_taken.labels(name).inc(count)
        for document in documents:
            if document["name"] in TIMINGS and "seconds" in document:
                business_metrics.client_seconds.labels(document["name"]).observe(document["seconds"])
            self._active_accounts.mark(document["slot"], (document["account"],))


def _document(account: str, event: Event, now: datetime) -> Document:
    at = event.at if now - _MAX_AGE < event.at < now + _MAX_CLOCK_SKEW else now
    day = f"{at.astimezone(now.tzinfo):%Y-%m-%d}"
    details = {"content": event.content, "screen": event.screen, "seconds": event.seconds}
    return {
        "_id": f"{account}:{event.id}",
        "account": account,
        "name": event.name.value,
        "day": day,
        "slot": f"{day}/{event.name.value}",
        "seen": {"at": at, "until": now + RETENTION},
        **{name: value for name, value in details.items() if value is not None},
    }
