"""Two-layer cache in front of a slow source: process memory, then Redis, then the source.

Guarantees:

- One load per key at a time (single-flight), in the pod and across pods. Cancelling a caller does not cancel
  the load.
- After :meth:`Cache.invalidate` was called, the calling pod neither serves the old value nor reads it from
  Redis. Once the invalidation is published, no pod that receives it does, and a pod that misses messages does
  so for at most ``blind_seconds``. Publishing is part of the call; while Redis is unavailable it is retried
  every 0.1 s in the background until the pod ends. If the pod dies before that, other pods may serve the old
  value until it expires (``fresh + stale`` seconds).
- With ``broadcast=False`` only the pods that hold an affected value receive an invalidation: each read from
  Redis registers its pod there for ``held_seconds``, for which the value is then served from memory. A write
  thus causes at most one delivery per previous read from Redis, however many pods there are. If Redis evicts
  the registration, the pod serves the old value for at most ``held_seconds``. This suits values that one
  account reads.
- With ``in_memory=False``, and for values that ``is_held`` excludes, values are stored in Redis only. Each
  read checks the version counters, so an invalidation needs no message. A read that joins a running one may
  return a value that is older by one round trip.
- A value that is invalidated during its load is not cached (version counters in Redis decide) and loaded
  again.
- A write with an unknown outcome invalidates too (:meth:`Cache.writing`, :mod:`app.cache.uncertain_writes`).
- After ``fresh`` seconds a value is stale: for ``stale`` more seconds it is served while one load refreshes
  it, and served instead of an error if the source fails. Shortly before, at a random moment per pod, a read
  refreshes it early.
- Absent values can be cached like any other value.
- Redis outages degrade performance only: each pod loads by itself and caches values for ``blind_seconds``.
  With ``broadcast=False`` or ``in_memory=False`` it caches no new value; values that it holds already are
  served for at most ``blind_seconds``.
- A full Redis evicts entries, counters and registrations, or refuses to store more. Entries without their
  counters are loaded again, and invalidations are published in any case.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import structlog
from redis.asyncio import Redis

from app.cache.backplane import Backplane, InvalidationMessage
from app.cache.memory_layer import Entry, MemoryLayer
from app.cache.redis_layer import EVERYTHING, MAX_LIFETIME_SECONDS, Lookup, RedisLayer
from app.cache.uncertain_writes import Probe, UncertainWrites, is_outcome_unknown
from app.connections import REDIS_ERRORS

T = TypeVar("T")
R = TypeVar("R")
log = structlog.get_logger()

_FAILURE_SECONDS: Final = 1.0  # seconds for which a failed source is not called again, randomized by half
_MAX_UNPUBLISHED: Final = 1_000
_ATTEMPTS: Final = 3
_REPUBLISH_SECONDS: Final = 0.1
# Maximum time for which a pod may serve an old value without receiving its invalidation: Redis may evict a
# registration, and pods of a version without registrations do not publish to registered pods.
_HELD_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """A value from the source, with the seconds for which it is fresh and then stale."""

    value: T
    fresh: float
    stale: float = 0.0


@dataclass
class CacheStats:
    """Number of reads by outcome since the start, for the metrics."""

    memory: int = 0
    redis: int = 0
    loads: int = 0
    stale: int = 0
    failures: int = 0
    waits: int = 0


@dataclass(slots=True, eq=False)
class _Flight(Generic[T]):
    """A load in progress, shared by all waiting callers.

    ``invalidated``: the result may be outdated. ``valid_at``: the last time (``time.monotonic``) at which it
    was certainly valid.
    """

    names: tuple[str, ...]
    valid_at: float
    task: asyncio.Task[T] | None = None
    invalidated: bool = False


class Cache(Generic[T]):
    """Values of one type.

    ``encode`` and ``decode`` convert values for Redis. In memory, readers share the value itself, so it must
    not be modified. ``load_seconds`` limits a load; ``blind_seconds`` limits how long values are trusted
    without the invalidation channel. ``broadcast=False`` sends invalidations only to pods that hold a value,
    for at most ``held_seconds``; ``in_memory=False`` omits the memory layer, and ``is_held`` returns whether
    a value is stored there. ``size`` returns the bytes of a value in memory; without it they are those of its
    encoding.
    """

    def __init__(
        self,
        redis: Redis,
        name: str,
        *,
        encode: Callable[[T], bytes],
        decode: Callable[[bytes], T],
        memory: MemoryLayer[T] | None = None,
        in_memory: bool = True,
        broadcast: bool = True,
        held_seconds: float = _HELD_SECONDS,
        is_held: Callable[[T], bool] | None = None,
        size: Callable[[T], int] | None = None,
        load_seconds: float = 10.0,
        blind_seconds: float = 2.0,
    ) -> None:
        self.name = name
        self.counts = CacheStats()
        self.memory: MemoryLayer[T] = memory if memory is not None else MemoryLayer()
        self._in_memory = in_memory
        self._held_seconds = math.inf if broadcast else held_seconds
        self._is_held = is_held
        self._size = size
        self._encode = encode
        self._decode = decode
        self._load_seconds = load_seconds
        self._blind_seconds = blind_seconds
        self._redis_layer = RedisLayer(
            redis,
            name,
            load_seconds=load_seconds,
            broadcast=broadcast and in_memory,
            held_seconds=held_seconds if in_memory else 0.0,
        )
        self._flights: dict[str, _Flight[T]] = {}  # flights that a reader may join
        self._loads: set[_Flight[T]] = set()  # all running loads
        self._background: set[asyncio.Task[Any]] = set()
        self._loaded_events: dict[str, asyncio.Event] = {}
        # Names with an unpublished invalidation, each with the number of the latest call.
        self._unpublished: dict[str, int] = {}
        self._sequence = itertools.count()
        self._publishing: asyncio.Task[None] | None = None
        self._uncertain: UncertainWrites | None = None
        self._backplane = Backplane(
            redis,
            self._redis_layer.channel,
            self._redis_layer.own_channel,
            on_invalidated=self._on_invalidated,
            on_loaded=self._on_loaded,
            on_gap=self._on_gap,
            on_server=self._on_server,
            ping_seconds=blind_seconds / 4,
        )

    async def run(self) -> None:
        """Receive invalidations until cancelled. Without this, values are cached for ``blind_seconds``
        only.
        """
        await self._backplane.run()

    @property
    def receives_invalidations(self) -> bool:
        """Whether invalidations of other pods arrive, so that values can be cached for their full
        lifetime.
        """
        return time.monotonic() < self._backplane.synced_at + self._blind_seconds

    async def fetch(
        self, key: str, load: Callable[[], Awaitable[Loaded[T]]], tags: tuple[str, ...] = ()
    ) -> T:
        """Return the value of ``key``, from a layer of the cache or from ``load``. Raises the errors of
        ``load``.

        ``tags`` are additional names for :meth:`invalidate`; they must be the same on every call for a key.
        """
        entry = self.fresh_entry(key)
        if entry is not None:
            return entry.value
        entry = self.memory.get(key)
        if entry is not None:
            now = time.monotonic()
            if self._is_trusted(entry, now) and entry.refresh_at <= now < entry.expires_at:
                self.counts.stale += 1
                self._flight(key, load, tags, early=0.2 * (entry.stale_at - entry.valid_at))
                return entry.value
        return await self._fetch_flight(key, load, tags)

    def fresh_entry(self, key: str) -> Entry[T] | None:
        """Return the entry of ``key`` if :meth:`fetch` would return its value without any other work.

        Counted as a read. For hot paths: saves the coroutine and the ``load`` of a call of :meth:`fetch`.
        """
        entry = self.memory.get(key)
        if entry is None:
            return None
        now = time.monotonic()
        if now < entry.refresh_at and (
            now < self._backplane.synced_at + self._blind_seconds
            or now < entry.valid_at + self._blind_seconds
        ):
            self.counts.memory += 1
            if entry.reads < 3:
                entry.reads += 1
            return entry
        return None

    def _is_trusted(self, entry: Entry[T], now: float) -> bool:
        """Return whether an invalidation of the entry would have arrived."""
        blind = self._blind_seconds
        return now < self._backplane.synced_at + blind or now < entry.valid_at + blind

    async def invalidate(self, *names: str) -> None:
        """Invalidate keys and tags in every pod.

        Returns when the invalidation is published, or after half a second without Redis; then it is published
        in the background. A cancelled call is published too.
        """
        # Before the first await: from here on, reads of these names bypass Redis.
        number = next(self._sequence)
        self._unpublished.update(dict.fromkeys(names, number))
        if len(self._unpublished) > _MAX_UNPUBLISHED:
            self._unpublished = {EVERYTHING: number}  # too many names: invalidate everything
        self._invalidate_locally(names)
        published = False
        try:
            published = await self._publish(dict.fromkeys(names, number))
        finally:
            unpublished = not published or EVERYTHING in self._unpublished
            if unpublished and (self._publishing is None or self._publishing.done()):
                self._publishing = self._spawn(self._publish_until_done())

    @asynccontextmanager
    async def writing(self, *names: str) -> AsyncIterator[None]:
        """Context manager around a write to the source: invalidates ``names`` after it, also if its outcome
        is unknown.

        In the latter case invalidation is repeated until the source responds, if :meth:`probe_with` was
        called.
        """
        try:
            yield
        except BaseException as error:
            if is_outcome_unknown(error):
                log.warning("write outcome unknown", cache=self.name, error=type(error).__name__)
                if self._uncertain is None:
                    self._spawn(self.invalidate(*names))
                elif self._uncertain.add(names):
                    self._spawn(self._uncertain.settle())
            raise
        await self.invalidate(*names)

    def probe_with(self, probe: Probe) -> None:
        """Settle writes with an unknown outcome by ``probe``, which succeeds if the source responds."""
        self._uncertain = UncertainWrites(lambda names: self.invalidate(*names), probe)

    async def flush(self) -> None:
        """Publish pending invalidations on shutdown. Raises redis-py errors."""
        if self._unpublished:
            await self._publish(dict(self._unpublished), wait=True)

    async def _fetch_flight(
        self, key: str, load: Callable[[], Awaitable[Loaded[T]]], tags: tuple[str, ...]
    ) -> T:
        requested_at = time.monotonic()
        for attempt in range(1, _ATTEMPTS + 1):
            flight = self._flight(key, load, tags)
            assert flight.task is not None
            # Shielded: the load serves all waiting callers and must survive the cancellation of one.
            value = await asyncio.shield(flight.task)
            if not flight.invalidated and flight.valid_at + self._blind_seconds > requested_at:
                return value
            if attempt == _ATTEMPTS:
                return value  # invalidated each time, so it was loaded after the request
        raise AssertionError("unreachable")

    def _flight(
        self, key: str, load: Callable[[], Awaitable[Loaded[T]]], tags: tuple[str, ...], early: float = 0.0
    ) -> _Flight[T]:
        flight = self._flights.get(key)
        if flight is not None:
            self.counts.waits += 1
            return flight
        flight = _Flight[T]((EVERYTHING, key, *tags), time.monotonic())
        self._start(flight, self._run_flight(key, load, flight, early))
        self._flights[key] = flight

        def end(task: asyncio.Task[T]) -> None:
            if self._flights.get(key) is flight:
                del self._flights[key]

        assert flight.task is not None
        flight.task.add_done_callback(end)
        return flight

    def _start(self, flight: _Flight[T], work: Coroutine[Any, Any, T]) -> None:
        """Start the load and register it so that an invalidation can find it."""
        self._loads.add(flight)
        flight.task = self._spawn(work)
        flight.task.add_done_callback(lambda _: self._loads.discard(flight))

    async def _run_flight(
        self, key: str, load: Callable[[], Awaitable[Loaded[T]]], flight: _Flight[T], early: float
    ) -> T:
        """Read from Redis, or load from the source if this pod holds the load lock."""
        wait_until = time.monotonic() + self._load_seconds
        loaded_event = self._loaded_events[key] = asyncio.Event()
        try:
            return await self._read_or_load(key, load, flight, early, wait_until, loaded_event)
        finally:
            if self._loaded_events.get(key) is loaded_event:
                del self._loaded_events[key]

    async def _read_or_load(
        self,
        key: str,
        load: Callable[[], Awaitable[Loaded[T]]],
        flight: _Flight[T],
        early: float,
        wait_until: float,
        loaded_event: asyncio.Event,
    ) -> T:
        while True:
            loaded_event.clear()
            flight.valid_at = time.monotonic()
            found = None
            # While an invalidation is unpublished, Redis still has the old value.
            if self._unpublished.keys().isdisjoint(flight.names):
                found = await self._redis_layer.read(key, flight.names, early)
            if found is None:
                return await self._load(key, load, flight, None)
            if found.data is not None:
                self.counts.redis += 1
                try:
                    value = self._decode(found.data)
                # Encoded by another version of the service; its decoder may raise any exception.
                except Exception:
                    return await self._load(key, load, flight, found)
                self._store(key, value, flight, len(found.data), found.fresh, found.expires)
                if found.load:
                    renewal = _Flight[T](flight.names, flight.valid_at)
                    self._start(renewal, self._load(key, load, renewal, found))
                return value
            if found.load or time.monotonic() > wait_until:
                return await self._load(key, load, flight, found)
            # Another pod is loading. It publishes the end of the load, since the read registered this pod as
            # waiting, unless it dies, so poll as well.
            try:
                async with asyncio.timeout(random.uniform(0.05, 0.15)):  # noqa: S311 (spreads the polling)
                    await loaded_event.wait()
            except TimeoutError:
                pass

    async def _load(
        self,
        key: str,
        load: Callable[[], Awaitable[Loaded[T]]],
        flight: _Flight[T],
        found: Lookup | None,
    ) -> T:
        """Load from the source, and store the value unless it was invalidated meanwhile."""
        self.counts.loads += 1
        flight.valid_at = time.monotonic()
        try:
            async with asyncio.timeout(self._load_seconds):
                loaded = await load()
            data = self._encode(loaded.value)
        except BaseException as error:
            if found is not None:
                await self._redis_layer.release(key, flight.names)
            entry = self.memory.get(key)
            if isinstance(error, Exception) and entry is not None and self._is_usable_on_error(entry):
                self.counts.failures += 1
                # Readers must not call a failed source one after the other.
                delay = random.uniform(0.5, 1.5) * _FAILURE_SECONDS  # noqa: S311
                entry.refresh_at = min(entry.expires_at, time.monotonic() + delay)
                return entry.value
            raise
        fresh = min(loaded.fresh, MAX_LIFETIME_SECONDS)
        expires = min(loaded.fresh + loaded.stale, MAX_LIFETIME_SECONDS)
        stored = None
        if found is not None:
            stored = await self._store_in_redis(key, flight, found, data, fresh, expires)
        # Without a registration in Redis, this pod only receives broadcast invalidations.
        if stored or self._held_seconds == math.inf:
            self._store(key, loaded.value, flight, len(data), fresh, expires)
        return loaded.value

    def _is_usable_on_error(self, entry: Entry[T]) -> bool:
        """Return whether a stale entry may replace an error: not expired, and invalidations would be
        known.
        """
        now = time.monotonic()
        synced_at = max(self._backplane.synced_at, entry.valid_at)
        return now < entry.expires_at and now < synced_at + self._blind_seconds

    def _store(
        self, key: str, value: T, flight: _Flight[T], encoded_bytes: int, fresh: float, expires: float
    ) -> None:
        if flight.invalidated or not self._in_memory:
            return
        if self._is_held is not None and not self._is_held(value):
            self.memory.drop(key)
            return
        now = time.monotonic()
        # Randomized, so that pods that loaded together do not refresh together.
        early = random.uniform(0.80, 0.95)  # noqa: S311
        entry = Entry(
            key,
            value,
            size=encoded_bytes if self._size is None else self._size(value),
            valid_at=flight.valid_at,
            refresh_at=min(now + fresh * early, flight.valid_at + self._held_seconds),
            stale_at=now + fresh,
            expires_at=min(now + expires, flight.valid_at + self._held_seconds),
            tags=flight.names[2:],
        )
        self.memory.add(entry)

    async def _store_in_redis(
        self, key: str, flight: _Flight[T], found: Lookup, data: bytes, fresh: float, expires: float
    ) -> bool | None:
        """Store a value in Redis, which detects whether it was invalidated during the load. Return the result
        of :meth:`RedisLayer.fill`.
        """
        requested_at = time.monotonic()
        stored = await self._redis_layer.fill(key, flight.names, found.versions, data, fresh, expires)
        if stored:
            flight.valid_at = requested_at
        elif stored is False:
            flight.invalidated = True
        return stored

    def _invalidate_locally(self, names: Iterable[str]) -> None:
        """Remove the entries that depend on the names, and mark running loads of them as invalidated."""
        invalid = set(names)
        if EVERYTHING in invalid:
            self.memory.clear()
        for name in invalid:
            self.memory.drop(name)
        self.memory.drop_tags(invalid)
        for flight in self._loads:
            if not invalid.isdisjoint(flight.names):
                flight.invalidated = True
        for key, flight in list(self._flights.items()):
            if flight.invalidated:
                del self._flights[key]

    def _on_invalidated(self, message: InvalidationMessage) -> None:
        self._invalidate_locally(message.names)

    def _on_loaded(self, key: str) -> None:
        loaded_event = self._loaded_events.get(key)
        if loaded_event is not None:
            loaded_event.set()

    def _on_gap(self) -> None:
        """Invalidations may have been missed: drop all entries."""
        self._invalidate_locally([EVERYTHING])
        self._redis_layer.resume()

    async def _on_server(self, identity: str) -> None:
        if await self._redis_layer.check_server(identity):
            log.info("Redis server changed or unknown, cache cleared", cache=self.name)

    async def _publish(self, names: Mapping[str, int], *, wait: bool = False) -> bool:
        """Publish the invalidation of ``names``, each with the number of its call. Return whether it
        succeeded.
        """
        try:
            await self._redis_layer.publish_invalidation(names, wait=wait)
        except REDIS_ERRORS as error:
            if wait:
                raise
            log.warning(
                "invalidation publish failed, will retry", cache=self.name, error=type(error).__name__
            )
            return False
        for name, number in names.items():
            # A name that was invalidated again meanwhile is published again, after the later write.
            if self._unpublished.get(name) == number:
                del self._unpublished[name]
        return True

    async def _publish_until_done(self) -> None:
        """Publish pending invalidations until Redis accepts them."""
        while self._unpublished:
            try:
                await self._publish(dict(self._unpublished), wait=True)
            except REDIS_ERRORS:
                await asyncio.sleep(_REPUBLISH_SECONDS)

    def _spawn(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Start a background task and reference it until it is done.

        It runs in an empty context: a load serves all waiting callers, so the first caller's deadline must
        not apply.
        """
        task = asyncio.create_task(work, context=Context())
        self._background.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled():
            task.exception()  # waiting callers get the error; without any, the next read retries
