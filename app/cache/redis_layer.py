"""The second layer: values in Redis, who loads what, and the versions by which an invalidation is noticed.

Every name that a value depends on has a counter. A value is kept with the counters as they were before it was
loaded, and is true as long as they are the same. Each step is one script, on the server's clock.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from redis import ConnectionError as ConnectionLostError
from redis.asyncio import Redis

from app.cache.backplane import Arrived, Invalidated
from app.connections import REDIS_GONE

_SCRIPTS: Final = Path(__file__).parent / "lua"
LONGEST_SECONDS: Final = 24 * 3600.0  # that a value is kept
_COUNTER_MS: Final = 2 * 24 * 3600 * 1000  # longer than any entry, which is a miss without its counters
_SERVER_MS: Final = 30 * 24 * 3600 * 1000
_REST_SECONDS: Final = 1.0  # after a failure, so that its time-outs are not paid by every read
_PATIENCE_SECONDS: Final = 0.5  # a reader waits no longer for a Redis that hangs
_PAUSES: Final = (0.0, 0.02, 0.05, 0.1, 0.5, 2.0)
EVERYTHING: Final = "*"  # a name that every entry depends on


@dataclass(slots=True)
class Found:
    """What Redis said: the data if there is some, seconds until it is stale and until it is gone, the
    versions of what it depends on, and whether loading is now this pod's task."""

    data: bytes | None
    fresh: float
    left: float
    versions: bytes
    task: bool


class Shared:
    """The keys of one cache. Reads and writes never raise for Redis: they say that it was not to be had."""

    def __init__(self, redis: Redis, name: str, *, load_seconds: float) -> None:
        # The braces keep the keys of one script on one node of a Redis cluster.
        self._prefix = f"cache:{{{name}}}:"
        self.channel = self._prefix + "backplane"
        self._redis: Any = redis
        self._token = secrets.token_hex(8)
        self._load_ms = int(load_seconds * 1000)
        self._rests_until = 0.0
        self._giving: set[asyncio.Task[None]] = set()
        self._read = self._script("read")
        self._fill = self._script("fill")
        self._invalidate = self._script("invalidate")
        self._meet = self._script("meet")

    async def look(self, key: str, names: tuple[str, ...], early: float) -> Found | None:
        """The entry, or the task of loading it; the task also when it goes stale within ``early`` seconds."""
        if time.monotonic() < self._rests_until:
            return None
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                arguments = [self._token, self._load_ms, int(early * 1000)]
                answer = await self._read(keys=self._keys(key, names), args=arguments)
        except REDIS_GONE:
            self._rest()
            self._let_go(key, names)  # the answer may have been lost on its way, and with it the task
            return None
        data, fresh, left, versions, task = answer
        return Found(data, fresh / 1000, left / 1000, versions, bool(task))

    async def fill(
        self, key: str, names: tuple[str, ...], versions: bytes, data: bytes, fresh: float, left: float
    ) -> bool | None:
        """Keep a loaded value; ``False``: an invalidation overtook it; ``None``: Redis cannot be asked."""
        lasting = int(fresh * 1000), max(1, int(left * 1000))
        try:
            return await self._settle(key, names, versions, data, *lasting)
        except REDIS_GONE:
            self._rest()
            self._let_go(key, names)
            return None

    async def give_back(self, key: str, names: tuple[str, ...]) -> None:
        """The task of loading has failed: let somebody else have it."""
        try:
            await self._settle(key, names, b"", b"", 0, 0)
        except REDIS_GONE:
            self._rest()
            self._let_go(key, names)

    async def tell(self, names: Iterable[str], *, patient: bool = False) -> None:
        """Everything that depends on these names is untrue from now on. Raises what redis-py raises.

        Waits for Redis as long as a reader does, and not at all within a second of a failure; ``patient``:
        as long as the connection lets it.
        """
        names = list(names)
        message = msgspec.msgpack.encode(Invalidated(names))
        arguments = [_COUNTER_MS, self.channel, message]
        if patient:
            await self._invalidate(keys=self._counters(names), args=arguments)
            self.awake()
            return
        if time.monotonic() < self._rests_until:
            raise ConnectionLostError("Redis failed within the last second")
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._invalidate(keys=self._counters(names), args=arguments)
        except REDIS_GONE:
            self._rest()
            raise

    async def meet(self, server: str) -> bool:
        """``True`` when the server is another than the one that wrote the entries: they are all untrue now,
        as it may have forgotten the last invalidations (its append-only file lags behind, or it is a replica
        that took over). Raises what redis-py raises.
        """
        keys = [self._prefix + "server", *self._counters([EVERYTHING])]
        message = msgspec.msgpack.encode(Invalidated([EVERYTHING]))
        arguments = [server, _SERVER_MS, _COUNTER_MS, self.channel, message]
        return bool(await self._meet(keys=keys, args=arguments))

    def awake(self) -> None:
        """Redis answers again."""
        self._rests_until = 0.0

    async def _settle(
        self, key: str, names: tuple[str, ...], versions: bytes, data: bytes, fresh: int, left: int
    ) -> bool:
        message = msgspec.msgpack.encode(Arrived(key))
        arguments = [self._token, versions, data, fresh, left, self.channel, message, _COUNTER_MS]
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return bool(await self._fill(keys=self._keys(key, names), args=arguments))

    def _let_go(self, key: str, names: tuple[str, ...]) -> None:
        """Give the task back in the background: until then everybody else waits for this pod."""
        giving = asyncio.create_task(self._keep_giving(key, names))
        self._giving.add(giving)
        giving.add_done_callback(self._giving.discard)

    async def _keep_giving(self, key: str, names: tuple[str, ...]) -> None:
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            try:
                await self._settle(key, names, b"", b"", 0, 0)
            except REDIS_GONE:
                continue
            return  # else the lock runs out by itself

    def _keys(self, key: str, names: Iterable[str]) -> list[str]:
        return [f"{self._prefix}entry:{key}", f"{self._prefix}lock:{key}", *self._counters(names)]

    def _counters(self, names: Iterable[str]) -> list[str]:
        return [f"{self._prefix}version:{name}" for name in names]

    def _rest(self) -> None:
        self._rests_until = time.monotonic() + _REST_SECONDS

    def _script(self, name: str) -> Any:
        texts = [(_SCRIPTS / f"{part}.lua").read_text() for part in ("versions", name)]
        return self._redis.register_script("\n".join(texts))
