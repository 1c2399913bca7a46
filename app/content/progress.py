"""How the making of a piece of content goes, told to whoever watches, through any pod.

The worker adds each event to a Redis stream of the content, bounded and gone after an hour, and rings a bell
(publish); pods that have watchers hear the bell and read on from where each of them was. So a client that
was cut off goes on where it stopped (``Last-Event-ID`` is the stream's own id), in whichever pod it comes
back to.
MongoDB stays the truth: without Redis a watcher hears of the end only, by looking every few seconds.
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

from app.connections import REDIS_GONE
from app.http.problems import TOO_MANY_REQUESTS, UNAVAILABLE, Problem
from app.redis.cancellation import heed, pause

log = structlog.get_logger()

FIRST: Final = "0-0"
_BELL: Final = "progress"
_MOST_EVENTS: Final = 400
_KEPT_SECONDS: Final = 3600
_MOST_WATCHERS: Final = 1000
_MOST_OF_ONE: Final = 6
_POSITION: Final = re.compile(r"[0-9]{1,15}-[0-9]{1,10}", re.ASCII)


class Event(msgspec.Struct, frozen=True):
    """Something that happened: its place in the stream, its name and its data (JSON)."""

    at: str
    name: str
    data: bytes


class Progress:
    """Tells and follows. Telling is best effort: the work goes on without an audience."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._watchers: Counter[str] = Counter()
        self.closing = False

    async def tell(self, content: str, name: str, data: bytes) -> None:
        """Add an event."""
        key = _key(content)
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.xadd(key, {"name": name, "data": data}, maxlen=_MOST_EVENTS, approximate=False)
                pipe.expire(key, _KEPT_SECONDS).publish(_BELL, content)
                await pipe.execute()
        except REDIS_GONE as error:
            log.debug("progress not told", error=type(error).__name__)

    async def read(self, content: str, after: str) -> list[Event]:
        """What happened after that place; nothing while Redis is gone."""
        try:
            found = await self._redis.xrange(_key(content), min=f"({after}", count=_MOST_EVENTS)
        except REDIS_GONE:
            return []
        return [Event(at.decode(), fields[b"name"].decode(), fields[b"data"]) for at, fields in found]

    async def discard(self, content: str) -> None:
        """Remove the events of deleted content; without Redis they expire within the hour."""
        with contextlib.suppress(*REDIS_GONE):
            await self._redis.delete(_key(content))

    @contextmanager
    def watching(self, account: str, content: str) -> Iterator[asyncio.Event]:
        """A bell for one watcher, within bounds a pod and an account; :class:`Problem` beyond them."""
        if self._watchers[account] >= _MOST_OF_ONE:
            detail = f"At most {_MOST_OF_ONE} streams are open at a time."
            raise Problem(TOO_MANY_REQUESTS, detail, headers={"retry-after": "5"})
        if self.closing or self._watchers.total() >= _MOST_WATCHERS:
            raise Problem(UNAVAILABLE, "Ask another time.", headers={"retry-after": "1"})
        bell = asyncio.Event()
        self._watchers[account] += 1
        self._waiting.setdefault(content, set()).add(bell)
        try:
            yield bell
        finally:
            self._watchers[account] -= 1
            if not self._watchers[account]:
                del self._watchers[account]
            bells = self._waiting[content]
            bells.discard(bell)
            if not bells:
                del self._waiting[content]

    @property
    def watchers(self) -> int:
        """How many watch through this pod."""
        return self._watchers.total()

    def close(self) -> None:
        """Let every watcher go, to come back to another pod."""
        self.closing = True
        self._ring(*self._waiting)

    async def run(self) -> None:
        """Hear the bell until cancelled, through any outage of Redis."""
        while True:
            with contextlib.suppress(*REDIS_GONE):
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(_BELL)
                    self._ring(*self._waiting)  # what was missed in between
                    while True:
                        heed()
                        message = await subscription.get_message(True, timeout=10.0)
                        if message is not None:
                            self._ring(message["data"].decode())
            await pause(0.5)

    def _ring(self, *contents: str) -> None:
        for content in contents:
            for bell in self._waiting.get(content, ()):
                bell.set()


def position(last_event_id: str | None) -> str:
    """Where a client was; the beginning, when it says nothing that was ever said to it."""
    if last_event_id is None or _POSITION.fullmatch(last_event_id) is None:
        return FIRST
    return last_event_id


def _key(content: str) -> str:
    return f"progress:{content}"
