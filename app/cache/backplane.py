"""What the pods tell each other about their caches, over Redis' publish and subscribe.

A pod that does not hear may hold something that is no longer true, and a dead connection looks just like a
quiet one. So hearing is a lease: the pod pings over the subscribed connection itself, and because Redis
answers in order, a pong proves that everything published before its ping has arrived. :attr:`Backplane.heard`
is the time of the last such ping; whoever trusts the first layer compares it with the clock.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis

from app.connections import REDIS_GONE
from app.redis.cancellation import heed, pause

log = structlog.get_logger()

_FIRST_PAUSE: Final = 0.05


class Invalidated(msgspec.Struct, tag="i", array_like=True):
    """Everything that depends on these names is no longer true."""

    names: list[str]


class Arrived(msgspec.Struct, tag="l", array_like=True):
    """The task of loading this entry is over, well or badly."""

    key: str


class Backplane:
    """One subscription per pod and cache. Messages of the pod itself come back to it too."""

    def __init__(
        self,
        redis: Redis,
        channel: str,
        *,
        on_invalidated: Callable[[Invalidated], None],
        on_loaded: Callable[[str], None],
        on_gap: Callable[[], None],
        on_server: Callable[[str], Awaitable[None]],
        ping_seconds: float = 0.5,
    ) -> None:
        self.channel = channel
        self.heard = float("-inf")
        self._redis: Any = redis
        self._on_invalidated = on_invalidated
        self._on_loaded = on_loaded
        self._on_gap = on_gap
        self._on_server = on_server
        self._ping_seconds = ping_seconds
        self._pings: list[float] = []
        self._decoder = msgspec.msgpack.Decoder(Invalidated | Arrived)

    async def run(self) -> None:
        """Listen for ever; after a lost connection, connect again, say to whom, and report the gap."""
        rest = _FIRST_PAUSE
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(self.channel)
                    await self._on_server((await self._redis.info("server"))["run_id"])
                    # What was said between the connections is not known.
                    self._pings.clear()
                    self._on_gap()
                    rest = _FIRST_PAUSE
                    await self._listen(subscription)
            except REDIS_GONE as error:
                log.warning("backplane lost", channel=self.channel, error=type(error).__name__)
            await pause(rest)
            rest = min(self._ping_seconds, rest * 2)

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
            heed()
            message = await subscription.get_message(timeout=max(0.001, next_ping - time.monotonic()))
            if message is None:
                continue
            if message["type"] == "pong":
                if self._pings:
                    self.heard = self._pings.pop(0)
            elif message["type"] == "message":
                self._receive(message["data"])

    def _receive(self, data: bytes) -> None:
        try:
            message = self._decoder.decode(data)
        except msgspec.DecodeError:  # of another version of the service: what it means is unknown
            self._on_gap()
            return
        if isinstance(message, Arrived):
            self._on_loaded(message.key)
        else:
            self._on_invalidated(message)
