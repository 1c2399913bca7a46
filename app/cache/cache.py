"""The cache in front of a slow source: process, then Redis, then the source, asked once for everybody.

What it promises:

- One load per key at a time, in the pod and across pods; a caller that gives up does not take it along.
- A value that has been invalidated is not served again by the pod that said so, nor by those that hear it; by
  one that does not hear, for at most ``blind_seconds``. A load that an invalidation overtook is kept nowhere
  (version counters in Redis decide) and done again.
- After ``fresh`` seconds a value is stale: for ``stale`` more it is still served at once while one load
  renews it, and served instead of an error when the source fails. Shortly before, at a moment that differs
  from pod to pod, a read renews it early.
- "There is nothing" is an answer and kept like one.
- Redis being gone costs speed, never an answer: the pod loads for itself and keeps values for a moment only.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import msgspec
import structlog
from redis import RedisError
from redis.asyncio import Redis

from app.cache.backplane import Arrived, Backplane, Invalidated
from app.cache.memory import Entry, Memory

T = TypeVar("T")
R = TypeVar("R")
log = structlog.get_logger()

_SCRIPTS: Final = Path(__file__).parent / "lua"
_COUNTER_MS: Final = 24 * 3600 * 1000
_REDIS_REST_SECONDS: Final = 1.0  # after a failure, so that its time-outs are not paid by every read
_MOST_UNTOLD: Final = 1_000
_ATTEMPTS: Final = 3
_RETELL_SECONDS: Final = 0.1
_EVERYTHING: Final = "*"  # a name that every entry depends on


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
    """A load on its way, for everybody who waits. ``overtaken``: what it brings may already be untrue."""

    names: tuple[str, ...]
    task: asyncio.Task[T] | None = None
    overtaken: bool = False


@dataclass(slots=True)
class _Shared:
    """What Redis said: the data if there is some, seconds until it is stale and until it is gone, the
    versions of what it depends on, and whether loading is now this pod's task."""

    data: bytes | None
    fresh: float
    left: float
    versions: bytes
    task: bool


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
        # The braces keep the keys of one script on one node of a Redis cluster.
        self._prefix = f"cache:{{{name}}}:"
        self._token = secrets.token_hex(8)
        self._flights: dict[str, _Flight[T]] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._arrivals: dict[str, asyncio.Event] = {}
        self._untold: set[str] = set()
        self._telling: asyncio.Task[None] | None = None
        self._redis_rests_until = 0.0
        self._read = redis.register_script((_SCRIPTS / "read.lua").read_text())
        self._fill = redis.register_script((_SCRIPTS / "fill.lua").read_text())
        self._invalidate = redis.register_script((_SCRIPTS / "invalidate.lua").read_text())
        self._backplane = Backplane(
            redis,
            self._prefix + "backplane",
            on_invalidated=self._on_invalidated,
            on_loaded=self._on_loaded,
            on_gap=self._on_gap,
            ping_seconds=blind_seconds / 4,
        )

    async def run(self) -> None:
        """Hear the other pods, for ever; while this does not run, values are kept for a moment only."""
        await self._backplane.run()

    async def fetch(
        self, key: str, load: Callable[[], Awaitable[Loaded[T]]], tags: tuple[str, ...] = ()
    ) -> T:
        """The value of ``key``; when there is none, what ``load`` gives. Raises what ``load`` raises.

        ``tags`` are further names for :meth:`invalidate`; they are the same on every call for a key.
        """
        entry = self.memory.get(key)
        if entry is not None:
            now = time.monotonic()
            if now < self._backplane.heard + self._blind_seconds or now < entry.kept_at + self._blind_seconds:
                if now < entry.refresh_at:
                    self.counts.memory += 1
                    if entry.reads < 3:
                        entry.reads += 1
                    return entry.value
                if now < entry.gone_at:
                    self.counts.stale += 1
                    self._flight(key, load, tags, early=0.2 * (entry.stale_at - entry.kept_at))
                    return entry.value
        return await self._fetch_shared(key, load, tags)

    async def invalidate(self, *names: str) -> None:
        """Keys and tags whose values are no longer true, in every pod, from when this returns."""
        self._overtake(names)
        try:
            await self._tell(names)
        except (RedisError, OSError) as error:
            log.warning("invalidation not told yet", cache=self.name, error=type(error).__name__)
            self._untold.update(names)
            if len(self._untold) > _MOST_UNTOLD:
                self._untold = {_EVERYTHING}  # too many to name
            if self._telling is None or self._telling.done():
                self._telling = self._spawn(self._tell_later())

    async def _fetch_shared(
        self, key: str, load: Callable[[], Awaitable[Loaded[T]]], tags: tuple[str, ...]
    ) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            flight = self._flight(key, load, tags)
            assert flight.task is not None
            # Shielded: the load belongs to everybody who waits for it, and outlives each of them.
            value = await asyncio.shield(flight.task)
            if not flight.overtaken or attempt == _ATTEMPTS:
                return value
        raise AssertionError("unreachable")

    def _flight(
        self, key: str, load: Callable[[], Awaitable[Loaded[T]]], tags: tuple[str, ...], early: float = 0.0
    ) -> _Flight[T]:
        flight = self._flights.get(key)
        if flight is not None:
            self.counts.waits += 1
            return flight
        flight = _Flight[T]((_EVERYTHING, key, *tags))
        flight.task = self._spawn(self._fly(key, load, flight, early))
        self._flights[key] = flight

        def land(task: asyncio.Task[T]) -> None:
            if self._flights.get(key) is flight:
                del self._flights[key]

        flight.task.add_done_callback(land)
        return flight

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
            shared = await self._look(key, flight.names, early)
            if shared is None:
                return await self._load(key, load, flight, None)
            if shared.data is not None:
                self.counts.redis += 1
                try:
                    value = self._decode(shared.data)
                except msgspec.DecodeError:  # of another version of the service
                    return await self._load(key, load, flight, shared)
                self._keep(key, value, flight, len(shared.data), shared.fresh, shared.left)
                if shared.task:
                    renewal = _Flight[T](flight.names)
                    renewal.task = self._spawn(self._load(key, load, renewal, shared))
                return value
            if shared.task or time.monotonic() > patience:
                return await self._load(key, load, flight, shared)
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
        shared: _Shared | None,
    ) -> T:
        """From the source; then for everybody, unless an invalidation was quicker."""
        self.counts.loads += 1
        try:
            async with asyncio.timeout(self._load_seconds):
                loaded = await load()
        except BaseException as error:
            await self._give_back(key, flight.names, shared)
            entry = self.memory.get(key)
            if isinstance(error, Exception) and entry is not None and time.monotonic() < entry.gone_at:
                self.counts.failures += 1
                return entry.value
            raise
        data = self._encode(loaded.value)
        if shared is not None and not await self._share(key, flight.names, shared, data, loaded):
            flight.overtaken = True
        if not flight.overtaken:
            self._keep(key, loaded.value, flight, len(data), loaded.fresh, loaded.fresh + loaded.stale)
        return loaded.value

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
            kept_at=now,
            refresh_at=now + fresh * early,
            stale_at=now + fresh,
            gone_at=now + left,
            tags=flight.names[2:],
        )
        self.memory.add(entry)

    async def _look(self, key: str, names: tuple[str, ...], early: float) -> _Shared | None:
        if time.monotonic() < self._redis_rests_until:
            return None
        keys = [f"{self._prefix}entry:{key}", f"{self._prefix}lock:{key}", *self._counters(names)]
        try:
            answer = await self._read(
                keys=keys, args=[self._token, int(self._load_seconds * 1000), int(early * 1000)]
            )
        except (RedisError, OSError):
            self._rest()
            return None
        data, fresh, left, versions, task = answer
        return _Shared(data, fresh / 1000, left / 1000, versions, bool(task))

    async def _share(
        self, key: str, names: tuple[str, ...], shared: _Shared, data: bytes, loaded: Loaded[T]
    ) -> bool:
        """Put a value into Redis; ``False`` when an invalidation overtook the load."""
        fresh, left = int(loaded.fresh * 1000), int((loaded.fresh + loaded.stale) * 1000)
        try:
            return bool(await self._settle(key, names, shared.versions, data, fresh, max(1, left)))
        except (RedisError, OSError):
            self._rest()
            return True  # not shared, but nothing says that it is untrue

    async def _give_back(self, key: str, names: tuple[str, ...], shared: _Shared | None) -> None:
        if shared is not None:
            try:
                await asyncio.shield(self._settle(key, names, b"", b"", 0, 0))
            except (RedisError, OSError):
                self._rest()

    async def _settle(
        self, key: str, names: tuple[str, ...], versions: bytes, data: bytes, fresh: int, left: int
    ) -> int:
        keys = [f"{self._prefix}entry:{key}", f"{self._prefix}lock:{key}", *self._counters(names)]
        message = msgspec.msgpack.encode(Arrived(key))
        return await self._fill(
            keys=keys, args=[self._token, versions, data, fresh, left, self._backplane.channel, message]
        )

    async def _tell(self, names: Iterable[str]) -> None:
        names = list(names)
        message = msgspec.msgpack.encode(Invalidated(names))
        await self._invalidate(
            keys=self._counters(names), args=[_COUNTER_MS, self._backplane.channel, message]
        )

    def _counters(self, names: Iterable[str]) -> list[str]:
        return [f"{self._prefix}version:{name}" for name in names]

    def _overtake(self, names: Iterable[str]) -> None:
        """Drop what depends on the names here, and let no load that is on its way bring it back."""
        untrue = set(names)
        if _EVERYTHING in untrue:
            self.memory.clear()
        for name in untrue:
            self.memory.drop(name)
        self.memory.drop_tags(untrue)
        for key, flight in list(self._flights.items()):
            if not untrue.isdisjoint(flight.names):
                flight.overtaken = True
                del self._flights[key]

    def _on_invalidated(self, message: Invalidated) -> None:
        self._overtake(message.names)

    def _on_loaded(self, key: str) -> None:
        arrival = self._arrivals.get(key)
        if arrival is not None:
            arrival.set()

    def _on_gap(self) -> None:
        """Something may have been said that was not heard: forget."""
        self._overtake([_EVERYTHING])
        self._redis_rests_until = 0.0

    async def _tell_later(self) -> None:
        """Say what could not be said, as soon as Redis listens again."""
        while self._untold:
            untold = self._untold
            try:
                await self._tell(untold)
            except (RedisError, OSError):
                await asyncio.sleep(_RETELL_SECONDS)
            else:
                self._untold = self._untold - untold

    def _rest(self) -> None:
        self._redis_rests_until = time.monotonic() + _REDIS_REST_SECONDS

    def _spawn(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """A task of the cache's own, kept from the garbage collector until it is done."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits has it; what nobody waits for is tried at the next read
