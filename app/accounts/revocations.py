"""Ended sessions, known to every pod.

Pods verify session tokens without a query, so a sign-out must reach them: the IDs of ended sessions are in
Redis for as long as a token lives, and each pod reads the new ones every second. The pod that ended a session
refuses its tokens at once, the others within about a second. While Redis is unavailable the others accept
them until they expire, for at most 15 minutes (``LIFETIME_SECONDS``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from app.auth.tokens import LIFETIME_SECONDS
from app.connections import REDIS_ERRORS

log = structlog.get_logger()

_KEY: Final = "sessions:ended"
_PAUSE_SECONDS: Final = 1.0
_OVERLAP_SECONDS: Final = 30.0  # maximum difference between the clocks of pods


class Revocations:
    """Sessions that were ended while their tokens may still be valid."""

    def __init__(self, redis: Redis, *, clock: Callable[[], float] = time.time) -> None:
        self._redis: Any = redis
        self._clock = clock
        self._ended: dict[str, float] = {}
        self._unpublished: dict[str, float] = {}
        self._read_until = 0.0

    def __contains__(self, session: str) -> bool:
        return session in self._ended

    async def add(self, *sessions: str) -> None:
        """End sessions in this pod at once; publish them now, or as soon as Redis is available."""
        now = self._clock()
        for session in sessions:
            self._ended[session] = self._unpublished[session] = now
        try:
            await self._publish()
        except REDIS_ERRORS as error:
            log.warning("sign-out not published yet: Redis unavailable", error=type(error).__name__)

    async def run(self) -> None:
        """Publish and read ended sessions every second until cancelled."""
        while True:
            try:
                await self._publish()
                await self.read()
            except REDIS_ERRORS as error:
                log.debug("sign-outs of other pods not read: Redis unavailable", error=type(error).__name__)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def read(self) -> None:
        """Read the sessions ended since the last call, and drop those whose tokens have expired."""
        now = self._clock()
        since = self._read_until - _OVERLAP_SECONDS
        for name, at in await self._redis.zrangebyscore(_KEY, since, "+inf", withscores=True):
            self._ended[name.decode()] = at
        self._read_until = now
        oldest = now - LIFETIME_SECONDS - _OVERLAP_SECONDS
        # Insertion order is almost the order of time: stop at the first that has not expired.
        while self._ended and (first := next(iter(self._ended.items())))[1] < oldest:
            del self._ended[first[0]]

    async def _publish(self) -> None:
        if not self._unpublished:
            return
        batch = dict(self._unpublished)
        oldest = self._clock() - LIFETIME_SECONDS - _OVERLAP_SECONDS
        async with self._redis.pipeline(transaction=False) as pipe:
            # The key has no lifetime: a full Redis would evict it, and new pods would accept the tokens.
            pipe.zadd(_KEY, batch).zremrangebyscore(_KEY, "-inf", oldest)
            await pipe.execute()
        for session in batch:
            self._unpublished.pop(session, None)
