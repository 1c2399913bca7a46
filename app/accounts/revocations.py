"""Sign-outs that every pod hears of.

Session tokens are verified without asking anybody, so a sign-out has to come to the pods: the ids of ended
sessions stand in Redis for as long as a token lives, and each pod reads the new ones every second. So a
token of an ended session is refused by the pod that ended it at once, by the others within about a second,
and while Redis is gone, after at most 15 minutes (``LIFETIME_SECONDS``), when it is over by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from redis import RedisError
from redis.asyncio import Redis

from app.auth.tokens import LIFETIME_SECONDS
from app.redis.cancellation import pause

log = structlog.get_logger()

_KEY: Final = "sessions:ended"
_PAUSE_SECONDS: Final = 1.0
_OVERLAP_SECONDS: Final = 30.0  # clocks of pods differ by less


class Revocations:
    """The sessions that were ended while tokens of theirs may still be good."""

    def __init__(self, redis: Redis, *, clock: Callable[[], float] = time.time) -> None:
        self._redis: Any = redis
        self._clock = clock
        self._ended: dict[str, float] = {}
        self._untold: dict[str, float] = {}
        self._read_until = 0.0

    def __contains__(self, session: str) -> bool:
        return session in self._ended

    async def add(self, *sessions: str) -> None:
        """End sessions here at once, and tell the others as soon as Redis listens."""
        now = self._clock()
        for session in sessions:
            self._ended[session] = self._untold[session] = now
        try:
            await self._tell()
        except RedisError as error:
            log.warning("other pods hear of a sign-out later", error=type(error).__name__)

    async def run(self) -> None:
        """Keep up with the other pods until cancelled."""
        while True:
            try:
                await self._tell()
                await self.read()
            except RedisError as error:
                log.debug("sign-outs of other pods are not heard", error=type(error).__name__)
            await pause(_PAUSE_SECONDS)

    async def read(self) -> None:
        """Learn what was ended since the last time, and forget what is over anyway."""
        now = self._clock()
        since = self._read_until - _OVERLAP_SECONDS
        for name, at in await self._redis.zrangebyscore(_KEY, since, "+inf", withscores=True):
            self._ended[name.decode()] = at
        self._read_until = now
        oldest = now - LIFETIME_SECONDS - _OVERLAP_SECONDS
        # Insertion order is nearly the order of time: stop at the first that still matters.
        while self._ended and (first := next(iter(self._ended.items())))[1] < oldest:
            del self._ended[first[0]]

    async def _tell(self) -> None:
        if not self._untold:
            return
        telling = dict(self._untold)
        oldest = self._clock() - LIFETIME_SECONDS - _OVERLAP_SECONDS
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(_KEY, telling).zremrangebyscore(_KEY, "-inf", oldest)
            pipe.expire(_KEY, int(LIFETIME_SECONDS + 2 * _OVERLAP_SECONDS))
            await pipe.execute()
        for session in telling:
            self._untold.pop(session, None)
