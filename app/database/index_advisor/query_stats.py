"""Which queries are asked, how often and how slowly: in this pod, and of all pods together in Redis."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import structlog
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from redis.asyncio import Redis

from app.connections import REDIS_GONE
from app.database.index_advisor.query_shapes import Shape, shapes
from app.redis.cancellation import pause

log = structlog.get_logger()

_MOST_SHAPES: Final = 500
_MAX_BATCH: Final = 2_000
_RETENTION_SECONDS: Final = 7 * 24 * 3600
_TELL_SECONDS: Final = 15.0
_MAX_PENDING: Final = 20
_COUNTS: Final = "database:{queries}:count"
_TIMES: Final = "database:{queries}:micros"


@dataclass
class Use:
    """How often a query was asked, and the seconds all of that took."""

    count: int = 0
    seconds: float = 0.0

    @property
    def mean(self) -> float:
        """Seconds a query took."""
        return self.seconds / self.count if self.count else 0.0


@dataclass(eq=False)
class Workload(Collector):
    """Hears of every command. Those that take ``slow`` seconds are logged, each shape with its plan once.

    ``explain`` gives the plan of a command, as one line.
    """

    slow: float
    explain: Callable[[Mapping[str, Any]], Awaitable[str]] | None = None
    uses: dict[Shape, Use] = field(default_factory=dict)
    slow_counts: dict[str, int] = field(default_factory=dict)
    plans: dict[Shape, str] = field(default_factory=dict)
    _untold: dict[Shape, Use] = field(default_factory=dict)
    _late: asyncio.Queue[tuple[Shape, Mapping[str, Any], float]] = field(
        default_factory=lambda: asyncio.Queue(_MAX_PENDING)
    )

    def finished(self, command: Mapping[str, Any], seconds: float) -> None:
        """A command was answered after ``seconds``."""
        found = shapes(command)
        for shape in found:
            for uses in (self.uses, self._untold):
                use = uses.get(shape)
                if use is None:
                    if len(uses) >= _MOST_SHAPES:
                        continue
                    use = uses[shape] = Use()
                use.count += 1
                use.seconds += seconds / len(found)
        if found and seconds >= self.slow:
            shape = found[0]
            self.slow_counts[shape.collection] = self.slow_counts.get(shape.collection, 0) + 1
            with contextlib.suppress(asyncio.QueueFull):  # counted; so many at once all say the same
                self._late.put_nowait((shape, command, seconds))

    async def run(self, redis: Redis) -> None:
        """Log what is slow, and tell Redis what is asked, until cancelled."""
        telling = asyncio.create_task(self._tell_now_and_then(redis))
        try:
            while True:
                await self._log(*await self._late.get())
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def tell(self, redis: Redis) -> None:
        """Add what was counted since the last time to what Redis knows. Raises ``redis.RedisError``."""
        untold = dict(self._untold)
        self._untold.clear()
        if not untold:
            return
        client: Any = redis  # typed by redis-py for decoding and plain clients at once
        try:
            crowded = await client.hlen(_COUNTS) >= _MAX_BATCH
            async with client.pipeline(transaction=True) as pipe:
                if crowded:  # years of releases ago, or somebody makes up fields: begin anew
                    pipe.delete(_COUNTS, _TIMES)
                for shape, use in untold.items():
                    name = msgspec.json.encode(shape)
                    pipe.hincrby(_COUNTS, name, use.count)
                    pipe.hincrby(_TIMES, name, int(use.seconds * 1e6))
                pipe.expire(_COUNTS, _RETENTION_SECONDS).expire(_TIMES, _RETENTION_SECONDS)
                await pipe.execute()
        except REDIS_GONE:
            for shape, use in untold.items():  # not lost: told the next time
                again = self._untold.setdefault(shape, Use())
                again.count += use.count
                again.seconds += use.seconds
            raise

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "kingdom_mongodb_slow_queries", "Queries slower than the threshold.", labels=("collection",)
        )
        for collection, count in self.slow_counts.items():
            family.add_metric((collection,), count)
        yield family

    async def _log(self, shape: Shape, command: Mapping[str, Any], seconds: float) -> None:
        plan = self.plans.get(shape)
        if plan is None and self.explain is not None:
            if len(self.plans) >= _MOST_SHAPES:
                self.plans.clear()
            # Remembered before it is asked for: what is slow must not be asked for plans over and over.
            self.plans[shape] = plan = "unknown"
            self.plans[shape] = plan = await self.explain(command)
        log.warning("slow query", query=str(shape), milliseconds=round(seconds * 1000, 1), plan=plan)

    async def _tell_now_and_then(self, redis: Redis) -> None:
        while True:
            await pause(_TELL_SECONDS)
            try:
                await self.tell(redis)
            except REDIS_GONE as error:
                log.info("queries not told of yet", error=type(error).__name__)


async def told(redis: Redis) -> dict[Shape, Use]:
    """What all pods have told of within the last week. Raises ``redis.RedisError``."""
    client: Any = redis
    counts, times = await client.hgetall(_COUNTS), await client.hgetall(_TIMES)
    found: dict[Shape, Use] = {}
    for name, count in counts.items():
        try:
            shape = msgspec.json.decode(name, type=Shape)
        except msgspec.DecodeError:  # of another version of the service
            continue
        found[shape] = Use(int(count), int(times.get(name, 0)) / 1e6)
    return found
