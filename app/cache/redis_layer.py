"""Redis layer of the cache: values, load locks, and the version counters that detect invalidations.

Every name that a value depends on has a counter. A value is stored with the counters read before it was
loaded and is valid while they are unchanged. Each operation is one script and uses the server's clock.
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

from app.background import BackgroundTasks
from app.cache.backplane import InvalidationMessage, LoadedMessage
from app.connections import REDIS_ERRORS

_SCRIPTS: Final = Path(__file__).parent / "lua"
MAX_LIFETIME_SECONDS: Final = 24 * 3600.0  # maximum lifetime of a value
_COUNTER_MS: Final = 2 * 24 * 3600 * 1000  # longer than any entry, which is a miss without its counters
_SERVER_MS: Final = 30 * 24 * 3600 * 1000
_PAUSE_SECONDS: Final = 1.0  # after a failure, so that not every read waits for a timeout
_TIMEOUT_SECONDS: Final = 0.5  # maximum wait of a reader for a Redis that hangs
_RELEASE_DELAYS: Final = (0.0, 0.02, 0.05, 0.1, 0.5, 2.0)
EVERYTHING: Final = "*"  # a name that every entry depends on


@dataclass(slots=True)
class Lookup:
    """Result of a read from Redis.

    ``data`` is the encoded value, ``None`` if absent; ``fresh`` and ``expires`` are the seconds until it is
    stale and until it expires; ``versions`` are the counters of the names it depends on; ``load`` states
    whether this pod holds the lock and must load the value.
    """

    data: bytes | None
    fresh: float
    expires: float
    versions: bytes
    load: bool


class RedisLayer:
    """Keys of one cache in Redis. Reads and writes do not raise Redis errors; they return ``None``
    instead.

    With ``broadcast``, invalidations are published to every pod. Otherwise each read and fill registers this
    pod for ``held_seconds``, and only registered pods receive an invalidation, on a channel of their own.
    With 0 this pod is not registered.
    """

    def __init__(
        self,
        redis: Redis,
        name: str,
        *,
        load_seconds: float,
        broadcast: bool = True,
        held_seconds: float = 0.0,
    ) -> None:
        # The braces place the keys of one script on one node of a Redis cluster.
        self._prefix = f"cache:{{{name}}}:"
        self.channel = self._prefix + "backplane"
        self._redis: Any = redis
        self._token = secrets.token_hex(8)
        self._pod_channels = self.channel + ":"
        self.own_channel = self._pod_channels + self._token
        self._load_ms = int(load_seconds * 1000)
        self._broadcast = broadcast
        self._held_ms = 0 if broadcast else int(held_seconds * 1000)
        self._paused_until = 0.0
        self._releasing = BackgroundTasks()
        self._read_script = self._script("read")
        self._fill_script = self._script("fill")
        self._invalidate_script = self._script("invalidate")
        self._check_server_script = self._script("check_server")

    async def read(self, key: str, names: tuple[str, ...], early: float) -> Lookup | None:
        """Read an entry; acquire the load lock if it is missing or becomes stale within ``early`` seconds.

        ``None`` if Redis is unavailable.
        """
        if time.monotonic() < self._paused_until:
            return None
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                arguments = [self._token, self._load_ms, int(early * 1000), len(names), self._held_ms]
                arguments.append(_COUNTER_MS)
                reply = await self._read_script(keys=self._keys(key, names), args=arguments)
        except REDIS_ERRORS:
            self._pause()
            self._release_in_background(key, names)  # the reply may be lost, and with it the lock
            return None
        data, fresh, expires, versions, load = reply
        return Lookup(data, fresh / 1000, expires / 1000, versions, bool(load))

    async def fill(
        self, key: str, names: tuple[str, ...], versions: bytes, data: bytes, fresh: float, expires: float
    ) -> bool | None:
        """Store a loaded value. ``False``: it was invalidated during the load; ``None``: that is unknown,
        because Redis is unavailable or has evicted a counter.
        """
        lifetimes = int(fresh * 1000), max(1, int(expires * 1000))
        try:
            return await self._settle(key, names, versions, data, *lifetimes)
        except REDIS_ERRORS:
            self._pause()
            self._release_in_background(key, names)
            return None

    async def release(self, key: str, names: tuple[str, ...]) -> None:
        """Release the load lock after a failed load, so that another pod can load."""
        try:
            await self._settle(key, names, b"", b"", 0, 0)
        except REDIS_ERRORS:
            self._pause()
            self._release_in_background(key, names)

    async def publish_invalidation(self, names: Iterable[str], *, wait: bool = False) -> None:
        """Increment the counters of these names and publish their invalidation. Raises redis-py errors.

        Times out after half a second, and fails immediately within a second of a failure. With ``wait`` only
        the connection's own timeouts apply.
        """
        names = list(names)
        message = msgspec.msgpack.encode(InvalidationMessage(names))
        # Every entry depends on EVERYTHING, so every pod holds some.
        to_all = self._broadcast or EVERYTHING in names
        arguments = [_COUNTER_MS, len(names), message, self.channel if to_all else "", self._pod_channels]
        keys = [*self._counters(names), *(self._holders(names) if self._held_ms else [])]
        if wait:
            await self._invalidate_script(keys=keys, args=arguments)
            self.resume()
            return
        if time.monotonic() < self._paused_until:
            raise ConnectionLostError("Redis failed within the last second")
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                await self._invalidate_script(keys=keys, args=arguments)
        except REDIS_ERRORS:
            self._pause()
            raise

    async def check_server(self, run_id: str) -> bool:
        """Record the identity of the server; return ``True`` if it changed or none was recorded, and all
        entries were invalidated.

        A new server may have lost the latest invalidations (its append-only file lags, or a replica was
        promoted). Raises redis-py errors.
        """
        keys = [self._prefix + "server", *self._counters([EVERYTHING])]
        message = msgspec.msgpack.encode(InvalidationMessage([EVERYTHING]))
        arguments = [run_id, _SERVER_MS, _COUNTER_MS, self.channel, message]
        return bool(await self._check_server_script(keys=keys, args=arguments))

    def resume(self) -> None:
        """End the pause after a failure: Redis is available again."""
        self._paused_until = 0.0

    async def _settle(
        self, key: str, names: tuple[str, ...], versions: bytes, data: bytes, fresh: int, expires: int
    ) -> bool | None:
        message = msgspec.msgpack.encode(LoadedMessage(key))
        arguments = [self._token, versions, data, fresh, expires, self.channel, message]
        arguments += [len(names), self._held_ms]
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            stored = await self._fill_script(keys=self._keys(key, names), args=arguments)
            return None if stored < 0 else bool(stored)

    def _release_in_background(self, key: str, names: tuple[str, ...]) -> None:
        """Release the load lock in the background; until then other pods wait for this one."""
        self._releasing.start(self._release_with_retries(key, names))

    async def _release_with_retries(self, key: str, names: tuple[str, ...]) -> None:
        for delay in _RELEASE_DELAYS:
            await asyncio.sleep(delay)
            try:
                await self._settle(key, names, b"", b"", 0, 0)
            except REDIS_ERRORS:
                continue
            return  # otherwise the lock expires

    def _keys(self, key: str, names: tuple[str, ...]) -> list[str]:
        holders = self._holders(names) if self._held_ms else []
        return [f"{self._prefix}entry:{key}", f"{self._prefix}lock:{key}", *self._counters(names), *holders]

    def _counters(self, names: Iterable[str]) -> list[str]:
        return [f"{self._prefix}version:{name}" for name in names]

    def _holders(self, names: Iterable[str]) -> list[str]:
        return [f"{self._prefix}holders:{name}" for name in names if name != EVERYTHING]

    def _pause(self) -> None:
        self._paused_until = time.monotonic() + _PAUSE_SECONDS

    def _script(self, name: str) -> Any:
        texts = [(_SCRIPTS / f"{part}.lua").read_text() for part in ("versions", name)]
        return self._redis.register_script("\n".join(texts))
