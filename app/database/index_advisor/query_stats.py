"""Query statistics: counts and durations by query shape, in this pod and, for all pods, in Redis."""

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

from app.connections import REDIS_ERRORS
from app.database.index_advisor.query_shapes import Shape, query_shapes

log = structlog.get_logger()

_MAX_SHAPES: Final = 500
_MAX_STORED_SHAPES: Final = 2_000
_RETENTION_SECONDS: Final = 7 * 24 * 3600
_FLUSH_SECONDS: Final = 15.0
_MAX_PENDING: Final = 20
_COUNTS: Final = "database:{queries}:count"
_TIMES: Final = "database:{queries}:micros"


@dataclass
class QueryStats:
    """Number of executions of a query and their total duration in seconds."""

    count: int = 0
    seconds: float = 0.0

    @property
    def mean(self) -> float:
        """Mean duration of the query in seconds."""
        return self.seconds / self.count if self.count else 0.0


@dataclass(eq=False)
class QueryRecorder(Collector):
    """Records statistics of all commands and logs those that take ``slow`` seconds or longer.

    ``explain`` returns the plan of a command as one line; it is called once per shape.
    """

    slow: float
    explain: Callable[[Mapping[str, Any]], Awaitable[str]] | None = None
    stats: dict[Shape, QueryStats] = field(default_factory=dict)
    slow_counts: dict[str, int] = field(default_factory=dict)
    plans: dict[Shape, str] = field(default_factory=dict)
    _pending: dict[Shape, QueryStats] = field(default_factory=dict)
    _slow_queries: asyncio.Queue[tuple[Shape, Mapping[str, Any], float]] = field(
        default_factory=lambda: asyncio.Queue(_MAX_PENDING)
    )

    def finished(self, command: Mapping[str, Any], seconds: float) -> None:
        """Record a successful command that took ``seconds``."""
        found = query_shapes(command)
        for shape in found:
            for stats in (self.stats, self._pending):
                entry = stats.get(shape)
                if entry is None:
                    if len(stats) >= _MAX_SHAPES:
                        continue
                    entry = stats[shape] = QueryStats()
                entry.count += 1
                entry.seconds += seconds / len(found)
        if found and seconds >= self.slow:
            shape = found[0]
            self.slow_counts[shape.collection] = self.slow_counts.get(shape.collection, 0) + 1
            with contextlib.suppress(asyncio.QueueFull):  # it is counted; a full queue is logged sufficiently
                self._slow_queries.put_nowait((shape, command, seconds))

    async def run(self, redis: Redis) -> None:
        """Log slow queries and flush the statistics to Redis, until cancelled."""
        flushing = asyncio.create_task(self._flush_periodically(redis))
        try:
            while True:
                await self._log(*await self._slow_queries.get())
        finally:
            flushing.cancel()
            await asyncio.gather(flushing, return_exceptions=True)

    async def flush_stats(self, redis: Redis) -> None:
        """Add the statistics since the last flush to those in Redis.

        Raises ``redis.RedisError`` or ``OSError``; the statistics are then retained for the next flush.
        """
        pending = dict(self._pending)
        self._pending.clear()
        if not pending:
            return
        client: Any = redis  # typed by redis-py for decoding and plain clients at once
        try:
            full = await client.hlen(_COUNTS) >= _MAX_STORED_SHAPES
            async with client.pipeline(transaction=True) as pipe:
                if (
                    full
                ):  # shapes of past releases accumulated, or field names come from user input: start again
                    pipe.delete(_COUNTS, _TIMES)
                for shape, entry in pending.items():
                    name = msgspec.json.encode(shape)
                    pipe.hincrby(_COUNTS, name, entry.count)
                    pipe.hincrby(_TIMES, name, int(entry.seconds * 1e6))
                pipe.expire(_COUNTS, _RETENTION_SECONDS).expire(_TIMES, _RETENTION_SECONDS)
                await pipe.execute()
        except REDIS_ERRORS:
            for shape, entry in pending.items():
                total = self._pending.setdefault(shape, QueryStats())
                total.count += entry.count
                total.seconds += entry.seconds
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
            if len(self.plans) >= _MAX_SHAPES:
                self.plans.clear()
            # Stored before the call, so that a slow query is explained only once even if that fails.
            self.plans[shape] = plan = "unknown"
            self.plans[shape] = plan = await self.explain(command)
        log.warning("slow query", query=str(shape), milliseconds=round(seconds * 1000, 1), plan=plan)

    async def _flush_periodically(self, redis: Redis) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            try:
                await self.flush_stats(redis)
            except REDIS_ERRORS as error:
                log.info("query statistics flush failed, will retry", error=type(error).__name__)


async def load_stats(redis: Redis) -> dict[Shape, QueryStats]:
    """Return the statistics of all pods for the past week. Raises ``redis.RedisError`` or ``OSError``."""
    client: Any = redis
    counts, times = await client.hgetall(_COUNTS), await client.hgetall(_TIMES)
    found: dict[Shape, QueryStats] = {}
    for name, count in counts.items():
        try:
            shape = msgspec.json.decode(name, type=Shape)
        except msgspec.DecodeError:  # written by another version of the service
            continue
        found[shape] = QueryStats(int(count), int(times.get(name, 0)) / 1e6)
    return found
