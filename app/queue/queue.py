"""The queue itself: every operation is one Lua script, so every step of a job is all or nothing.

Times come from the Redis server's clock only.

Measured against SAQ (``tests/bench/service_queue.py``). Why not a library: SAQ's and taskiq's priorities do
not cover Redis, arq is in maintenance, streaq needs Redis 7; none takes turns between owners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from app.queue.jobs import Ending, Job, Lease, Priority

_SCRIPTS: Final = Path(__file__).parent / "lua"


class QueueFull(Exception):  # noqa: N818 (as in the standard library)
    """As many jobs wait as may; the caller should ask its own client to come back later."""


@dataclass(frozen=True)
class Depth:
    """How many jobs are in each state, and the age in seconds of the oldest that is ready."""

    ready: dict[Priority, int]
    delayed: int
    leased: int
    dead: int
    oldest_seconds: float


class Queue:
    """One named queue. Errors of the connection are ``redis.RedisError``."""

    def __init__(
        self,
        redis: Redis,
        name: str = "jobs",
        *,
        limit: int = 100_000,
        visibility: float = 30.0,
        most_attempts: int = 5,
    ) -> None:
        # The braces keep all keys of a queue on one node of a Redis cluster.
        self._prefix = f"queue:{{{name}}}:"
        # Typed by redis-py for decoding and plain clients at once; this one gives bytes.
        self._redis: Any = redis
        self._limit = limit
        self._visibility_ms = int(visibility * 1000)
        self.visibility = visibility
        self.most_attempts = most_attempts
        self._enqueue = redis.register_script((_SCRIPTS / "enqueue.lua").read_text())
        self._reserve = redis.register_script((_SCRIPTS / "reserve.lua").read_text())
        self._settle = redis.register_script((_SCRIPTS / "settle.lua").read_text())
        self._extend = redis.register_script((_SCRIPTS / "extend.lua").read_text())

    async def enqueue(self, *jobs: Job, delay: float = 0.0) -> list[bool]:
        """Add jobs after ``delay`` seconds, or :class:`QueueFull`; ``False`` for one that was there."""
        arguments: list[Any] = [self._limit]
        for job in jobs:
            arguments += [job.id, job.kind, job.body, job.owner, int(job.priority), int(delay * 1000)]
        added = await self._enqueue(keys=[self._prefix], args=arguments)
        if -1 in added:
            raise QueueFull(f"{added.count(-1)} of {len(jobs)} jobs were refused: {self._limit} are waiting")
        return [bool(value) for value in added]

    async def reserve(self, count: int) -> list[Lease]:
        """Lease up to ``count`` jobs for :attr:`visibility` seconds; does not wait."""
        flat = await self._reserve(keys=[self._prefix], args=[count, self._visibility_ms, self.most_attempts])
        return [
            Lease(flat[at].decode(), flat[at + 1].decode(), flat[at + 2], flat[at + 3], flat[at + 4])
            for at in range(0, len(flat), 5)
        ]

    async def wait(self, seconds: float) -> None:
        """Until a job is added, at most ``seconds``."""
        await self._redis.blpop([self._prefix + "wake"], timeout=seconds)

    async def extend(self, leases: Sequence[Lease]) -> list[bool]:
        """Hold leases for another :attr:`visibility` seconds; ``False`` for one that was lost."""
        arguments: list[Any] = [self._visibility_ms]
        for lease in leases:
            arguments += [lease.id, lease.fence]
        return [bool(held) for held in await self._extend(keys=[self._prefix], args=arguments)]

    async def settle(self, *endings: Ending) -> list[bool]:
        """End leases, all in one call; ``False`` for one that was lost meanwhile, whose job is another's
        now.
        """
        arguments: list[Any] = []
        for ending in endings:
            lease = ending.lease
            arguments += [lease.id, lease.fence, ending.outcome.value, int(ending.after * 1000), ending.error]
        return [bool(settled) for settled in await self._settle(keys=[self._prefix], args=arguments)]

    async def depth(self) -> Depth:
        """How full the queue is."""
        prefix = self._prefix
        async with self._redis.pipeline(transaction=False) as pipe:
            for level in Priority:
                pipe.zcard(f"{prefix}since:{level.value}")
                pipe.zrange(f"{prefix}since:{level.value}", 0, 0, withscores=True)
            pipe.zcard(prefix + "delayed").zcard(prefix + "leased").zcard(prefix + "dead").time()
            answers = await pipe.execute()
        seconds, microseconds = answers[-1]
        now = seconds * 1000 + microseconds / 1000
        oldest = [first[0][1] for first in answers[1:6:2] if first]
        return Depth(
            ready={level: answers[2 * level.value] for level in Priority},
            delayed=answers[6],
            leased=answers[7],
            dead=answers[8],
            oldest_seconds=max(0.0, (now - min(oldest)) / 1000) if oldest else 0.0,
        )

    async def dead_letters(self, count: int = 100) -> list[tuple[str, str]]:
        """The ids of the latest dead letters, each with its last error."""
        ids = await self._redis.zrevrange(self._prefix + "dead", 0, count - 1)
        return [
            (
                key.decode(),
                (await self._redis.hget(f"{self._prefix}job:{key.decode()}", "error") or b"").decode(),
            )
            for key in ids
        ]
