"""Which accounts were active, counted without keeping anybody's trail.

Every request of an account marks it in the pod; once a second the marks go to Redis as HyperLogLogs, one a
day (and one a day and kind of event): 12 KB each however many accounts there are, for a standard error of
0.81 % (Redis' own figure). Unions of days give weeks and months.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, Final

import structlog
from redis import RedisError
from redis.asyncio import Redis

from app import clock
from app.analytics.schemas import Audience
from app.redis.cancellation import pause

log = structlog.get_logger()

_PREFIX: Final = "analytics:{active}:"  # one node of a Redis cluster: it can unite what lies together
_KEPT_SECONDS: Final = 100 * 24 * 3600
_PAUSE_SECONDS: Final = 1.0
_MOST_MARKS: Final = 200_000
_AT_ONCE: Final = 2_000


class Activity:
    """The marks of this pod, and the counts of all."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self.seen: set[str] = set()  # what a request adds its account to
        self._marks: dict[str, set[str]] = {}

    def mark(self, slot: str, accounts: Iterable[str]) -> None:
        """Accounts that did something; ``slot`` is the day, or the day and the name of what they did."""
        self._marks.setdefault(slot, set()).update(accounts)

    async def run(self) -> None:
        """Tell Redis every second, until cancelled; then once more."""
        try:
            while True:
                await pause(_PAUSE_SECONDS)
                await self._tell_if_possible()
        finally:
            await self._tell_if_possible()

    async def tell(self) -> None:
        """Send the marks. Raises ``redis.RedisError``, with nothing forgotten."""
        seen, self.seen = self.seen, set()
        if seen:
            self.mark(f"{clock.now():%Y-%m-%d}", seen)
        while self._marks:
            slot, accounts = next(iter(self._marks.items()))
            part = [account for account, _ in zip(accounts, range(_AT_ONCE), strict=False)]
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.pfadd(_PREFIX + slot, *part).expire(_PREFIX + slot, _KEPT_SECONDS)
                await pipe.execute()
            accounts.difference_update(part)
            if not accounts:
                del self._marks[slot]

    async def count(self, *slots: str) -> int:
        """Accounts in any of the slots."""
        return await self._redis.pfcount(*(_PREFIX + slot for slot in slots))

    async def counts(self, slots: Sequence[str]) -> list[int]:
        """Accounts in each of the slots."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for slot in slots:
                pipe.pfcount(_PREFIX + slot)
            return await pipe.execute()

    async def audience(self, today: date) -> Audience:
        """Accounts of the day, the week and the month that end today."""
        days = [(today - timedelta(days=back)).isoformat() for back in range(30)]
        day, week, month = await self.count(days[0]), await self.count(*days[:7]), await self.count(*days)
        return Audience(day, week, month, round(day / month, 4) if month else 0.0)

    async def _tell_if_possible(self) -> None:
        try:
            await self.tell()
        except (RedisError, OSError) as error:
            log.info("activity not told of yet", error=type(error).__name__)
            if sum(map(len, self._marks.values())) > _MOST_MARKS:
                self._marks.clear()  # Redis is gone for long: an estimate is not worth the pod's memory
                log.warning("activity was forgotten")
