"""Generation progress of content, published to subscribers on any pod.

The worker appends each event to a Redis stream per content item (bounded, expires after an hour) and
publishes a notification on the item's channel. A pod subscribes to the channels of the items that its clients
follow, so that the cost of an event does not grow with the number of pods, and reads the new events from each
subscriber's position.
A disconnected client resumes after its ``Last-Event-ID``, which is the ID in the stream, on any pod. MongoDB
is the source of truth: without Redis a subscriber only gets the final state, by polling.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis

from app.connections import REDIS_ERRORS
from app.http.problems import TOO_MANY_REQUESTS, UNAVAILABLE, Problem

log = structlog.get_logger()

FIRST: Final = "0-0"
_CONTROL_CHANNEL: Final = "progress"  # keeps a subscription open while no client follows anything
_PREFIX: Final = "progress:"  # of the stream and the channel of a content item
_MAX_EVENTS: Final = 400
_RETENTION_SECONDS: Final = 3600
_MAX_SUBSCRIBERS: Final = 1000
_MAX_PER_ACCOUNT: Final = 6
_POSITION: Final = re.compile(r"[0-9]{1,15}-[0-9]{1,10}", re.ASCII)


class ProgressEvent(msgspec.Struct, frozen=True):
    """An event: its ID in the stream, its name and its data (JSON)."""

    id: str
    name: str
    data: bytes


class Progress:
    """Publishes and reads progress events. Publishing is best effort."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._subscribers: dict[str, set[asyncio.Event]] = {}
        self._subscribers_changed = asyncio.Event()
        self._by_account: Counter[str] = Counter()
        self.closing = False

    async def publish(self, content_id: str, name: str, data: bytes) -> None:
        """Append an event and notify subscribers; dropped while Redis is unavailable."""
        key = _key(content_id)
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.xadd(key, {"name": name, "data": data}, maxlen=_MAX_EVENTS, approximate=False)
                pipe.expire(key, _RETENTION_SECONDS).publish(key, content_id)
                await pipe.execute()
        except REDIS_ERRORS as error:
            log.debug("progress event dropped", error=type(error).__name__)

    async def read(self, content_id: str, after: str) -> list[ProgressEvent]:
        """Return the events after the given ID; empty while Redis is unavailable."""
        try:
            found = await self._redis.xrange(_key(content_id), min=f"({after}", count=_MAX_EVENTS)
        except REDIS_ERRORS:
            return []
        return [
            ProgressEvent(name.decode(), fields[b"name"].decode(), fields[b"data"]) for name, fields in found
        ]

    async def discard(self, content_id: str) -> None:
        """Delete the events of deleted content; without Redis they expire within an hour."""
        with contextlib.suppress(*REDIS_ERRORS):
            await self._redis.delete(_key(content_id))

    @contextmanager
    def subscribe(self, account: str, content_id: str) -> Iterator[asyncio.Event]:
        """Subscribe to a content item: yields an event that is set when there may be new progress.

        Raises :class:`Problem`: 429 over the limit per account, 503 over the limit per pod or on shutdown.
        """
        if self._by_account[account] >= _MAX_PER_ACCOUNT:
            detail = f"At most {_MAX_PER_ACCOUNT} streams may be open at a time."
            raise Problem(TOO_MANY_REQUESTS, detail, headers={"retry-after": "5"})
        if self.closing or self._by_account.total() >= _MAX_SUBSCRIBERS:
            raise Problem(UNAVAILABLE, "Too many open streams. Retry later.", headers={"retry-after": "1"})
        changed = asyncio.Event()
        self._by_account[account] += 1
        self._subscribers.setdefault(content_id, set()).add(changed)
        self._subscribers_changed.set()
        try:
            yield changed
        finally:
            self._by_account[account] -= 1
            if not self._by_account[account]:
                del self._by_account[account]
            events = self._subscribers[content_id]
            events.discard(changed)
            if not events:
                del self._subscribers[content_id]
                self._subscribers_changed.set()

    @property
    def subscribers(self) -> int:
        """Number of subscribers on this pod."""
        return self._by_account.total()

    def close(self) -> None:
        """End all subscriptions on shutdown; clients reconnect to another pod."""
        self.closing = True
        self._notify(*self._subscribers)

    async def run(self) -> None:
        """Receive notifications until cancelled, also across Redis outages."""
        while True:
            with contextlib.suppress(*REDIS_ERRORS):
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(_CONTROL_CHANNEL)
                    await self._receive(subscription)
            await asyncio.sleep(0.5)

    async def _receive(self, subscription: Any) -> None:
        updates = asyncio.create_task(self._update_channels(subscription))
        try:
            while not updates.done():
                message = await subscription.get_message(timeout=10.0)
                # Events may have been published between the client's request and the subscription.
                if message is not None and message["type"] in ("subscribe", "message"):
                    self._notify(message["channel"].decode().removeprefix(_PREFIX))
            await updates
        finally:
            updates.cancel()
            await asyncio.gather(updates, return_exceptions=True)

    async def _update_channels(self, subscription: Any) -> None:
        """Subscribe to the channels of the items that clients follow, and to no others, until cancelled."""
        subscribed: set[str] = set()
        while True:
            self._subscribers_changed.clear()
            wanted = {_key(content_id) for content_id in self._subscribers}
            if added := wanted - subscribed:
                await subscription.subscribe(*added)
            if removed := subscribed - wanted:
                await subscription.unsubscribe(*removed)
            subscribed = wanted
            await self._subscribers_changed.wait()

    def _notify(self, *content_ids: str) -> None:
        for content_id in content_ids:
            for changed in self._subscribers.get(content_id, ()):
                changed.set()


def position(last_event_id: str | None) -> str:
    """Return the stream position after ``last_event_id``; the beginning if it is missing or malformed."""
    if last_event_id is None or _POSITION.fullmatch(last_event_id) is None:
        return FIRST
    return last_event_id


def _key(content_id: str) -> str:
    return f"{_PREFIX}{content_id}"
