"""How many workers there are, so that each can say what its share of the queue is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

_SCRIPT: Final = Path(__file__).parent / "lua" / "attend.lua"


class Attendance:
    """The workers of one queue that were heard of lately, on the Redis server's clock."""

    def __init__(self, redis: Redis, name: str = "jobs", *, silence: float = 20.0) -> None:
        self._key = f"queue:{{{name}}}:workers"
        self._redis: Any = redis  # typed by redis-py for decoding and plain clients at once
        self._silence_ms = int(silence * 1000)
        self._attend = redis.register_script(_SCRIPT.read_text())

    async def here(self, name: str) -> int:
        """Say that ``name`` is there; how many are, this one among them. Raises ``redis.RedisError``."""
        return int(await self._attend(keys=[self._key], args=[name, self._silence_ms]))

    async def gone(self, name: str) -> None:
        """``name`` takes no more jobs."""
        await self._redis.zrem(self._key, name)
