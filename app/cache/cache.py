"""The cache in front of a slow source. Redis being gone costs speed, never an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from redis import RedisError
from redis.asyncio import Redis

from app import metrics


class Cache:
    """Bytes by key, in Redis."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._redis: Any = redis
        self._name = name

    async def fetch(self, key: str, load: Callable[[], Awaitable[tuple[bytes, float]]]) -> bytes:
        """The kept value, or what ``load`` gives: a value and the seconds it may be kept."""
        full = f"cache:{self._name}:{key}"
        try:
            kept = await self._redis.get(full)
        except RedisError:
            metrics.cache_reads.labels(self._name, "error").inc()
            return (await load())[0]
        if kept is not None:
            metrics.cache_reads.labels(self._name, "hit").inc()
            return kept
        metrics.cache_reads.labels(self._name, "miss").inc()
        value, seconds = await load()
        try:
            await self._redis.set(full, value, px=int(seconds * 1000))
        except RedisError:
            metrics.cache_reads.labels(self._name, "unkept").inc()
        return value

    async def forget(self, key: str) -> None:
        """Drop a value that is no longer true."""
        try:
            await self._redis.delete(f"cache:{self._name}:{key}")
        except RedisError:
            # It outlives its truth by its own time to live at most.
            metrics.cache_reads.labels(self._name, "unforgotten").inc()
