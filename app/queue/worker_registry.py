"""Registry of the workers of a queue, used to compute the backlog per worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

_SCRIPT: Final = Path(__file__).parent / "lua" / "heartbeat.lua"


class WorkerRegistry:
    """Workers of one queue with a heartbeat within the last ``timeout`` seconds on the Redis server's
    clock.
    """

    def __init__(self, redis: Redis, name: str = "jobs", *, timeout: float = 20.0) -> None:
        self._key = f"queue:{{{name}}}:workers"
        self._redis: Any = redis  # redis-py types the client for decoded and raw replies
        self._timeout_ms = int(timeout * 1000)
        self._heartbeat = redis.register_script(_SCRIPT.read_text())

    async def heartbeat(self, name: str) -> int:
        """Record a heartbeat of ``name``. Return the number of live workers. Raises ``redis.RedisError``."""
        return int(await self._heartbeat(keys=[self._key], args=[name, self._timeout_ms]))

    async def deregister(self, name: str) -> None:
        """Remove ``name``, which no longer takes jobs."""
        await self._redis.zrem(self._key, name)
