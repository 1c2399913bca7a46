"""The cache in front of a slow source: process, then Redis, then the source, asked once for everybody.

What it promises:

- One load per key at a time, in the pod and across pods; a caller that gives up does not take it along.
- Once :meth:`Cache.invalidate` has been called, the pod that called it does not serve the old value again,
  nor read it back from Redis. Once the invalidation is published, no pod that receives it does, and one that
  does not receive messages for at most ``blind_seconds``. Publishing is part of the call; while Redis is
  unavailable it is retried every 0.1 s in the background until the pod ends. Should the pod die before that,
  other pods may serve the old value until it would have expired anyway (``fresh + stale`` seconds).
- A load that an invalidation overtook is cached nowhere (version counters in Redis decide) and done again.
- A write whose outcome is unknown invalidates too (:meth:`Cache.writing`, :mod:`app.cache.doubt`).
- After ``fresh`` seconds a value is stale: for ``stale`` more it is still served at once while one load
  renews it, and served instead of an error when the source fails. Shortly before, at a moment that differs
  from pod to pod, a read renews it early.
- "There is nothing" is an answer and kept like one.
- Redis being gone costs speed, never an answer: the pod loads for itself and keeps values for a moment only.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import structlog
from redis.asyncio import Redis

from app.cache.backplane import Backplane, Invalidated
from app.cache.doubt import Doubt, Probe, is_outcome_unknown
from app.cache.memory_layer import Entry, Memory
from app.cache.redis_layer import EVERYTHING, LONGEST_SECONDS, Found, Shared
from app.connections import REDIS_GONE

T = TypeVar("T")
R = TypeVar("R")
log = structlog.get_logger()

_FAILURE_SECONDS: Final = 1.0  # a failed source is left alone, give or take half of it
_MAX_UNPUBLISHED: Final = 1_000
_ATTEMPTS: Final = 3
_REPUBLISH_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """What a source gave: the value, and for how many seconds it is fresh, and then stale."""

    value: T
    fresh: float
    stale: float = 0.0


@dataclass
class Counts:
    """Outcomes of reads since the start, for the metrics."""

    memory: int = 0
    redis: int = 0
    loads: int = 0
    stale: int = 0
    failures: int = 0
    waits: int = 0


@dataclass(slots=True, eq=False)
class _Flight(Generic[T]):
    """A load on its way, for everybody who waits. ``overtaken``: what it brings may already be untrue.
    ``true_at``: the last moment at which it was certainly true, by ``time.monotonic``.
    """

    names: tuple[str, ...]
    true_at: float
    task: asyncio.Task[T] | None = None
    overtaken: bool = False


class Cache(Generic[T]):
    """Values of one kind. ``encode`` and ``decode`` are for Redis; in the process values are kept as they
    are, shared between readers, so they must not be changed."""

    def __init__(
        self,
        redis: Redis,
        name: str,
        *,
        encode: Callable[[T], bytes],
        decode: Callable[[bytes], T],
        memory: Memory[T] | None = None,
        load_seconds: float = 10.0,
        blind_seconds: float = 2.0,
    ) -> None:
        self.name = name
        self.counts = Counts()
        self.memory: Memory[T] = memory if memory is not None else Memory()
        self._encode = encode
        self._decode = decode
        self._load_seconds = load_seconds
        self._blind_seconds = blind_seconds
        self._shared = Shared(redis, name, load_seconds=load_seconds)
        self._flights: dict[str, _Flight[T]] = {}  # which a reader may join
        self._aloft: set[_Flight[T]] = set()  # all of them
        self._background: set[asyncio.Task[Any]] = set()
        self._arrivals: dict[str, asyncio.Event] = {}
        # Names whose invalidation is not published yet, each with the number of the latest call.
        self._unpublished: dict[str, int] = {}
        self._calls = itertools.count()
        self._publishing: asyncio.Task[None] | None = None
        self._doubt: Doubt | None = None
        self._backplane = Backplane(
            redis,
            self._shared.channel,
            on_invalidated=self._on_invalidated,
            on_loaded=self._on_loaded,
            on_gap=self._on_gap,
            on_server=self._on_server,
            ping_seconds=blind_seconds / 4,
        )

    async def run(self) -> None:
        """Hear the other pods, for ever; while this does not run, values are kept for a moment only."""
        await self._backplane.run()

    @property
    def hears(self) -> bool:
        """Whether what the other pods invalidate is heard here, so that values may be kept for long."""
        return time.monotonic() < self._backplane.heard + self._blind_seconds

    async def fetch(
        self, key: str, load: Callable[[], Awaitable[Loaded[T]]], tags: tuple[str, ...] = ()
    ) -> T:
        """The value of ``key``; when there is none, what ``load`` gives. Raises what ``load`` raises.

        ``tags`` are further names for :meth:`invalidate`; they are the same on every call for a key.
        """
        entry = self.memory.get(key)
        if entry is not None:
            now = time.monotonic()
            if now < self._backplane.heard + self._blind_seconds or now < entry.true_at + self._blind_seconds:
                if now < entry.refresh_at:
                    self.counts.memory += 1
                    if entry.reads < 3:
                        entry.reads += 1
                    return entry.value
                if now < entry.gone_at:
                    self.counts.stale += 1
                    self._flight(key, load, tags, early=0.2 * (entry.stale_at - entry.true_at))
                    return entry.value
        return await self._fetch_shared(key, load, tags)

    async def invalidate(self, *names: str) -> None:
        """Keys and tags whose values are no longer true, in every pod.

        Returns when that is published, or after half a second without Redis; then publishing goes on in the
        background. A cancelled call publishes too.
        """
        # Before anything is awaited: from here on a read of these names goes past Redis to the source.
        call = next(self._calls)
        self._unpublished.update(dict.fromkeys(names, call))
        if len(self._unpublished) > _MAX_UNPUBLISHED:
            self._unpublished = {EVERYTHING: call}  # too many to name
        self._overtake(names)
        published = False
        try:
            published = await self._publish(dict.fromkeys(names, call))
        finally:
            waiting = not published or EVERYTHING in self._unpublished
            if waiting and (self._publishing is None or self._publishing.done()):
                self._publishing = self._spawn(self._keep_publishing())

    @asynccontextmanager
    async def writing(self, *names: str) -> AsyncIterator[None]:
        """Around a write to the source: invalidates ``names`` after it, also when its outcome is unknown.

        The latter until the source answers again, if :meth:`probe_with` was called.
        """
        try:
            yield
        except BaseException as error:
            if is_outcome_unknown(error):
                log.warning("write in doubt", cache=self.name, error=type(error).__name__)
                if self._doubt is None:
                    self._spawn(self.invalidate(*names))
                elif self._doubt.add(names):
                    self._spawn(self._doubt.settle())
            raise
        await self.invalidate(*names)

    def probe_with(self, probe: Probe) -> None:
        """Settle writes in doubt by ``probe``, which succeeds when the source answers."""
        self._doubt = Doubt(lambda names: self.invalidate(*names), probe)

    async def flush(self) -> None:
        """Publish what is not published yet; raises what redis-py raises. For the end of a pod."""
        if self._unpublished:
            await self._publish(dict(self._unpublished), patient=True)

    async def _fetch_shared(
        self, key: str, load: Callable[[], Awaitable[Loaded[T]]], tags: tuple[str, ...]
    ) -> T:
        asked_at = time.monotonic()
        for attempt in range(1, _ATTEMPTS + 1):
            flight = self._flight(key, load, tags)
            assert flight.task is not None
            # Shielded: the load belongs to everybody who waits for it, and outlives each of them.
            value = await asyncio.shield(flight.task)
            if not flight.overtaken and flight.true_at + self._blind_seconds > asked_at:
                return value
            if attempt == _ATTEMPTS:
                return value  # overtaken each time, and so read since it was asked for
        raise AssertionError("unreachable")

    def _flight(
        self, key: str, load: Callable[[], Awaitable[Loaded[T]]], tags: tuple[str, ...], early: float = 0.0
    ) -> _Flight[T]:
        flight = self._flights.get(key)
        if flight is not None:
            self.counts.waits += 1
            return flight
        flight = _Flight[T]((EVERYTHING, key, *tags), time.monotonic())
        self._launch(flight, self._fly(key, load, flight, early))
        self._flights[key] = flight

        def land(task: asyncio.Task[T]) -> None:
            if self._flights.get(key) is flight:
                del self._flights[key]

        assert flight.task is not None
        flight.task.add_done_callback(land)
        return flight

    def _launch(self, flight: _Flight[T], work: Coroutine[Any, Any, T]) -> None:
        """Let it go, where an invalidation finds it."""
        self._aloft.add(flight)
        flight.task = self._spawn(work)
        flight.task.add_done_callback(lambda _: self._aloft.discard(flight))

    async def _fly(
        self, key: str, load: Callable[[], Awaitable[Loaded[T]]], flight: _Flight[T], early: float
    ) -> T:
        """From Redis, or, when it falls to this pod, from the source."""
        patience = time.monotonic() + self._load_seconds
        arrival = self._arrivals[key] = asyncio.Event()
        try:
            return await self._approach(key, load, flight, early, patience, arrival)
        finally:
            if self._arrivals.get(key) is arrival:
                del self._arrivals[key]

    async def _approach(
        self,
        key: str,
        load: Callable[[], Awaitable[Loaded[T]]],
        flight: _Flight[T],
        early: float,
        patience: float,
        arrival: asyncio.Event,
    ) -> T:
        while True:
            arrival.clear()
            flight.true_at = time.monotonic()
            found = None
            # Redis still has the old value of what is not published yet.
            if self._unpublished.keys().isdisjoint(flight.names):
                found = await self._shared.look(key, flight.names, early)
            if found is None:
                return await self._load(key, load, flight, None)
            if found.data is not None:
                self.counts.redis += 1
                try:
                    value = self._decode(found.data)
                except Exception:  # of another version of the service, whatever its decoder raises
                    return await self._load(key, load, flight, found)
                self._keep(key, value, flight, len(found.data), found.fresh, found.left)
                if found.task:
                    renewal = _Flight[T](flight.names, flight.true_at)
                    self._launch(renewal, self._load(key, load, renewal, found))
                return value
            if found.task or time.monotonic() > patience:
                return await self._load(key, load, flight, found)
            # Another pod is loading; it says when it is done, unless it dies, so ask again now and then.
            try:
                async with asyncio.timeout(random.uniform(0.05, 0.15)):  # noqa: S311 (spreads the asking)
                    await arrival.wait()
            except TimeoutError:
                pass

    async def _load(
        self,
        key: str,
        load: Callable[[], Awaitable[Loaded[T]]],
        flight: _Flight[T],
        found: Found | None,
    ) -> T:
        """From the source; then for everybody, unless an invalidation was quicker."""
        self.counts.loads += 1
        flight.true_at = time.monotonic()
        try:
            async with asyncio.timeout(self._load_seconds):
                loaded = await load()
            data = self._encode(loaded.value)
        except BaseException as error:
            if found is not None:
                await self._shared.give_back(key, flight.names)
            entry = self.memory.get(key)
            if isinstance(error, Exception) and entry is not None and self._serves(entry):
                self.counts.failures += 1
                # Readers in between must not ask a source that is down one after the other.
                pause = random.uniform(0.5, 1.5) * _FAILURE_SECONDS  # noqa: S311
                entry.refresh_at = min(entry.gone_at, time.monotonic() + pause)
                return entry.value
            raise
        fresh = min(loaded.fresh, LONGEST_SECONDS)
        left = min(loaded.fresh + loaded.stale, LONGEST_SECONDS)
        if found is not None:
            await self._share(key, flight, found, data, fresh, left)
        if not flight.overtaken:
            self._keep(key, loaded.value, flight, len(data), fresh, left)
        return loaded.value

    def _serves(self, entry: Entry[T]) -> bool:
        """Whether it may stand in for an error: it is not too old, and an invalidation would be known."""
        now = time.monotonic()
        heard_at = max(self._backplane.heard, entry.true_at)
        return now < entry.gone_at and now < heard_at + self._blind_seconds

    def _keep(self, key: str, value: T, flight: _Flight[T], size: int, fresh: float, left: float) -> None:
        if flight.overtaken:
            return
        now = time.monotonic()
        # Pods that loaded together must not renew together.
        early = random.uniform(0.80, 0.95)  # noqa: S311
        entry = Entry(
            key,
            value,
            size=size,
            true_at=flight.true_at,
            refresh_at=now + fresh * early,
            stale_at=now + fresh,
            gone_at=now + left,
            tags=flight.names[2:],
        )
        self.memory.add(entry)

    async def _share(
        self, key: str, flight: _Flight[T], found: Found, data: bytes, fresh: float, left: float
    ) -> None:
        """Put a value into Redis, which knows whether an invalidation overtook the load."""
        asked_at = time.monotonic()
        kept = await self._shared.fill(key, flight.names, found.versions, data, fresh, left)
        if kept:
            flight.true_at = asked_at
        elif kept is False:
            flight.overtaken = True

    def _overtake(self, names: Iterable[str]) -> None:
        """Drop what depends on the names here, and let no load that is on its way bring it back."""
        untrue = set(names)
        if EVERYTHING in untrue:
            self.memory.clear()
        for name in untrue:
            self.memory.drop(name)
        self.memory.drop_tags(untrue)
        for flight in self._aloft:
            if not untrue.isdisjoint(flight.names):
                flight.overtaken = True
        for key, flight in list(self._flights.items()):
            if flight.overtaken:
                del self._flights[key]

    def _on_invalidated(self, message: Invalidated) -> None:
        self._overtake(message.names)

    def _on_loaded(self, key: str) -> None:
        arrival = self._arrivals.get(key)
        if arrival is not None:
            arrival.set()

    def _on_gap(self) -> None:
        """Something may have been said that was not heard: forget."""
        self._overtake([EVERYTHING])
        self._shared.awake()

    async def _on_server(self, identity: str) -> None:
        if await self._shared.meet(identity):
            log.warning("another Redis server: everything is read anew", cache=self.name)

    async def _publish(self, names: Mapping[str, int], *, patient: bool = False) -> bool:
        """Publish the invalidation of ``names``, each with the number of its call; whether that succeeded."""
        try:
            await self._shared.tell(names, patient=patient)
        except REDIS_GONE as error:
            if patient:
                raise
            log.warning("invalidation not published yet", cache=self.name, error=type(error).__name__)
            return False
        for name, call in names.items():
            # A name that was invalidated again meanwhile is published once more, after the later write.
            if self._unpublished.get(name) == call:
                del self._unpublished[name]
        return True

    async def _keep_publishing(self) -> None:
        """Publish what could not be published, as soon as Redis is available again."""
        while self._unpublished:
            try:
                await self._publish(dict(self._unpublished), patient=True)
            except REDIS_GONE:
                await asyncio.sleep(_REPUBLISH_SECONDS)

    def _spawn(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """A task of the cache's own, kept from the garbage collector until it is done.

        In a context of its own too: a load is for everybody who waits, so it must not end at the deadline of
        whoever happened to come first.
        """
        task = asyncio.create_task(work, context=Context())
        self._background.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits has it; what nobody waits for is tried at the next read
