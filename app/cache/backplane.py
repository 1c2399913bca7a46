"""Invalidation channel between the pods, over Redis publish/subscribe.

A pod that misses messages may serve stale values, and a lost connection looks like an idle one. The pod
therefore sends pings over the subscribed connection: Redis replies in order, so a pong proves that every
message published before the ping has been received. :attr:`Backplane.synced_at` is the time of the last
confirmed ping; the memory layer is only trusted for a bounded time after it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis

from app.connections import REDIS_ERRORS

log = structlog.get_logger()

_RECONNECT_SECONDS: Final = 0.05


class InvalidationMessage(msgspec.Struct, tag="i", array_like=True):
    """The entries that depend on these names are invalid."""

    names: list[str]


class LoadedMessage(msgspec.Struct, tag="l", array_like=True):
    """The load of this entry has ended, with or without a value."""

    key: str


class Backplane:
    """One subscription per pod and cache. A pod receives its own messages too.

    `channels` are those of all pods and of this one. `on_invalidated` and `on_loaded` are called for
    messages, `on_gap` if messages may have been missed, and `on_server` with the server's run ID after each
    connect. `synced_at` is in seconds of ``time.monotonic``.
    """

    def __init__(
        self,
        redis: Redis,
        *channels: str,
        on_invalidated: Callable[[InvalidationMessage], None],
        on_loaded: Callable[[str], None],
        on_gap: Callable[[], None],
        on_server: Callable[[str], Awaitable[None]],
        ping_seconds: float = 0.5,
    ) -> None:
        self._channels = channels
        self.synced_at = float("-inf")
        self._redis: Any = redis
        self._on_invalidated = on_invalidated
        self._on_loaded = on_loaded
        self._on_gap = on_gap
        self._on_server = on_server
        self._ping_seconds = ping_seconds
        self._pings: list[float] = []
        self._decoder = msgspec.msgpack.Decoder(InvalidationMessage | LoadedMessage)

    async def run(self) -> None:
        """Listen until cancelled. On reconnect, report the server's identity and that messages may have been
        missed.
        """
        delay = _RECONNECT_SECONDS
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(*self._channels)
                    await self._on_server((await self._redis.info("server"))["run_id"])
                    # Messages published between the two connections were missed.
                    self._pings.clear()
                    self._on_gap()
                    delay = _RECONNECT_SECONDS
                    await self._listen(subscription)
            except REDIS_ERRORS as error:
                log.warning(
                    "invalidation channel disconnected", channel=self._channels[0], error=type(error).__name__
                )
            await asyncio.sleep(delay)
            delay = min(self._ping_seconds, delay * 2)

    async def _listen(self, subscription: Any) -> None:
        next_ping = 0.0
        while True:
            now = time.monotonic()
            if now >= next_ping:
                if len(self._pings) > 3:
                    raise TimeoutError("no pong to four pings")
                self._pings.append(now)
                await subscription.ping()
                next_ping = now + self._ping_seconds
            message = await subscription.get_message(timeout=max(0.001, next_ping - time.monotonic()))
            if message is None:
                continue
            if message["type"] == "pong":
                if self._pings:
                    self.synced_at = self._pings.pop(0)
            elif message["type"] == "message":
                self._receive(message["data"])

    def _receive(self, data: bytes) -> None:
        try:
            message = self._decoder.decode(data)
        except msgspec.DecodeError:  # unknown message of another version of the service
            self._on_gap()
            return
        if isinstance(message, LoadedMessage):
            self._on_loaded(message.key)
        else:
            self._on_invalidated(message)
