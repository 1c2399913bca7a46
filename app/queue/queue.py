"""The job queue. Every operation is one Lua script, so each state change of a job is atomic.

Times come from the Redis server's clock. A job is a hash, and its ID is in exactly one of: a list of waiting
jobs (one per owner and priority), ``delayed``, ``leased``, ``dead``.

- Of sixteen turns, twelve serve the highest priority first, three the middle one and one the lowest, which
  prevents starvation.
- Within a priority, owners take turns; the jobs of one owner are served in FIFO order.
- A lease that is not extended within ``visibility`` seconds expires and the job is leased again; after
  ``max_attempts`` leases it is dead-lettered. Dead letters are retained for two weeks, at most 10,000.
- If more than ``limit`` jobs are waiting, :class:`QueueFull` is raised.

Measured against SAQ and, with Redis 7, streaq (``benchmarks/queues.py``); decision 15 states why neither is
used.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from app.queue.jobs import DeadLetter, Job, JobResult, Lease, Priority
from app.redis.batcher import Batcher

_SCRIPTS: Final = Path(__file__).parent / "lua"
_RESULT_MS: Final = 3600 * 1000
_FULL_SECONDS: Final = 1.0
_MAX_BATCH: Final = 1_000  # jobs per script call: Redis blocks meanwhile
_MAX_ERROR_LENGTH: Final = 2_000  # characters


class QueueFull(Exception):  # noqa: N818 (named like queue.Full)
    """The limit on waiting jobs is reached; the caller should return 503 with ``Retry-After``."""


@dataclass(frozen=True)
class Depth:
    """Number of jobs in each state, and the age in seconds of the oldest ready job."""

    ready: dict[Priority, int]
    delayed: int
    leased: int
    dead: int
    oldest_seconds: float

    @property
    def waiting(self) -> int:
        """Number of jobs that count against the limit."""
        return sum(self.ready.values()) + self.delayed


@dataclass(frozen=True)
class Reserved:
    """Leased jobs, and the seconds until a delayed or leased job becomes due (infinite if there is none).

    ``due`` is only set if nothing was leased.
    """

    leases: list[Lease]
    due: float


class Queue:
    """A named queue. Methods raise ``redis.RedisError`` on connection errors.

    ``limit`` is the maximum number of waiting jobs, ``visibility`` the lease duration in seconds,
    ``max_attempts`` the number of leases before a job is dead-lettered.
    """

    def __init__(
        self,
        redis: Redis,
        name: str = "jobs",
        *,
        limit: int = 100_000,
        visibility: float = 30.0,
        max_attempts: int = 5,
    ) -> None:
        # The braces place all keys of a queue on one node of a Redis cluster.
        self._prefix = f"queue:{{{name}}}:"
        # redis-py types the client for decoded and raw replies; this one returns bytes.
        self._redis: Any = redis
        self.limit = limit
        self._visibility_ms = int(visibility * 1000)
        self.visibility = visibility
        self.max_attempts = max_attempts
        self._rejected_at = float("-inf")
        self._batcher: Batcher[tuple[Sequence[Job], int], list[int]] = Batcher(self._add, max_weight=64)
        self._enqueue = self._script("enqueue")
        self._reserve = self._script("reserve")
        self._settle = self._script("settle")
        self._extend = self._script("extend")
        self._recur = self._script("recur")
        self._requeue = self._script("requeue")

    @property
    def full(self) -> bool:
        """Whether a job was rejected within the last second; callers should not accept more work."""
        return time.monotonic() < self._rejected_at + _FULL_SECONDS

    async def enqueue(self, *jobs: Job, delay: float = 0.0) -> list[bool]:
        """Add jobs that become ready after ``delay`` seconds. Return for each whether it was added.

        ``False``: a job with this ID exists. Concurrent calls are sent to Redis in one batch. Raises
        :class:`QueueFull`.
        """
        delay_ms = int(delay * 1000)
        added: list[int] = []
        for first in range(0, len(jobs), _MAX_BATCH):
            added += await self._batcher.submit((jobs[first : first + _MAX_BATCH], delay_ms))
        if -1 in added:
            self._rejected_at = time.monotonic()
            raise QueueFull(f"{added.count(-1)} of {len(jobs)} jobs were rejected: {self.limit} are waiting")
        return [bool(value) for value in added]

    async def _add(self, calls: Sequence[tuple[Sequence[Job], int]]) -> list[list[int]]:
        arguments: list[Any] = [self.limit]
        for jobs, delay_ms in calls:
            for job in jobs:
                arguments += (job.id, job.kind, job.body, job.owner, int(job.priority), delay_ms)
                arguments.append(math.ceil(job.timeout_seconds * 1000))
        added = iter(await self._enqueue(keys=[self._prefix], args=arguments))
        return [list(islice(added, len(jobs))) for jobs, _ in calls]

    async def reserve(self, count: int, *, max_low: int | None = None) -> Reserved:
        """Lease up to ``count`` jobs for :attr:`visibility` seconds, without waiting.

        ``max_low`` is the maximum number of jobs of the lowest priority among them, by default ``count``.
        """
        limits = [count, self._visibility_ms, self.max_attempts, count if max_low is None else max_low]
        flat = await self._reserve(keys=[self._prefix], args=limits)
        leases = [
            Lease(
                flat[at].decode(),
                flat[at + 1].decode(),
                flat[at + 2],
                flat[at + 3],
                flat[at + 4],
                math.inf if flat[at + 5] < 0 else flat[at + 5] / 1000,
                Priority(flat[at + 6]),
            )
            for at in range(1, len(flat), 7)
        ]
        return Reserved(leases, math.inf if flat[0] < 0 else flat[0] / 1000)

    async def wait(self, seconds: float) -> None:
        """Wait up to ``seconds`` for a job to be added."""
        await self._redis.blpop([self._prefix + "wake"], timeout=seconds)

    async def extend(self, leases: Sequence[Lease]) -> list[bool]:
        """Extend leases to :attr:`visibility` seconds from now. Return for each whether it was still held."""
        arguments: list[Any] = [self._visibility_ms]
        for lease in leases:
            arguments += [lease.id, lease.fence]
        return [bool(held) for held in await self._extend(keys=[self._prefix], args=arguments)]

    async def settle(self, *results: JobResult) -> list[bool]:
        """Settle leases in one call. Return for each whether it was still held; a lost lease is ignored."""
        arguments: list[Any] = [_RESULT_MS]
        for result in results:
            lease = result.lease
            arguments += (lease.id, lease.fence, result.outcome.value, int(result.after * 1000))
            arguments += (result.error[:_MAX_ERROR_LENGTH], result.result)
        return [bool(settled) for settled in await self._settle(keys=[self._prefix], args=arguments)]

    async def recur(self, kinds: Sequence[tuple[str, float, Priority]]) -> float:
        """Add the recurring jobs (kind, period in seconds, priority) that are due, each once across all
        workers.

        Return the seconds until the next one is due.
        """
        arguments: list[Any] = []
        for kind, seconds, priority in kinds:
            arguments += (kind, int(seconds * 1000), int(priority))
        return await self._recur(keys=[self._prefix], args=arguments) / 1000

    async def result(self, job_id: str, *, max_wait: float = 0.0) -> bytes | None:
        """Return the result of a job, which is retained for an hour. Wait up to ``max_wait`` seconds for it.

        ``None`` if the job is not finished or returned no result.
        """
        key = f"{self._prefix}result:{job_id}"
        found = await self._redis.get(key)
        if found is not None or max_wait <= 0:
            return found
        until = time.monotonic() + max_wait
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(self._prefix + "results")
            while (left := until - time.monotonic()) > 0:
                # Read after subscribing, so that a result published in between is not missed.
                found = await self._redis.get(key)
                if found is not None:
                    return found
                await self._wait_for_result(subscription, job_id, left)
        return await self._redis.get(key)

    async def _wait_for_result(self, subscription: Any, job_id: str, seconds: float) -> None:
        """Wait until a result of this job is published. Other jobs' messages are skipped without a read."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await subscription.get_message(ignore_subscribe_messages=True, timeout=1.0)
                    if message is not None and message["data"] == job_id.encode():
                        return
        except TimeoutError:
            return

    async def depth(self) -> Depth:
        """Return the number of jobs in each state."""
        prefix = self._prefix
        async with self._redis.pipeline(transaction=False) as pipe:
            for level in Priority:
                pipe.zcard(f"{prefix}since:{level.value}")
                pipe.zrange(f"{prefix}since:{level.value}", 0, 0, withscores=True)
            pipe.zcard(prefix + "delayed").zcard(prefix + "leased").zcard(prefix + "dead").time()
            replies = await pipe.execute()
        seconds, microseconds = replies[-1]
        now = seconds * 1000 + microseconds / 1000
        oldest = [first[0][1] for first in replies[1:6:2] if first]
        return Depth(
            ready={level: replies[2 * level.value] for level in Priority},
            delayed=replies[6],
            leased=replies[7],
            dead=replies[8],
            oldest_seconds=max(0.0, (now - min(oldest)) / 1000) if oldest else 0.0,
        )

    async def dead_letters(self, count: int = 100) -> list[DeadLetter]:
        """Return the latest ``count`` dead letters, latest first."""
        found = await self._redis.zrevrange(self._prefix + "dead", 0, count - 1, withscores=True)
        async with self._redis.pipeline(transaction=False) as pipe:
            for name, _ in found:
                pipe.hmget(f"{self._prefix}job:{name.decode()}", "kind", "owner", "attempt", "error")
            hashes = await pipe.execute()
        letters: list[DeadLetter] = []
        for (name, at), values in zip(found, hashes, strict=True):
            kind, owner, attempts, error = (value or b"" for value in values)
            texts = name.decode(), kind.decode(), owner.decode()
            letters.append(DeadLetter(*texts, int(attempts or 0), error.decode(), at / 1000))
        return letters

    async def are_dead(self, *job_ids: str) -> list[bool]:
        """Return for each ID whether its job is dead-lettered."""
        if not job_ids:
            return []
        scores = await self._redis.zmscore(self._prefix + "dead", list(job_ids))
        return [score is not None for score in scores]

    async def requeue(self, *job_ids: str) -> list[bool]:
        """Retry dead letters from the first attempt. Return for each ID whether it was dead-lettered."""
        return await self._settle_dead("requeue", job_ids)

    async def discard(self, *job_ids: str) -> list[bool]:
        """Delete dead letters. Return for each ID whether it was dead-lettered."""
        return await self._settle_dead("discard", job_ids)

    async def _settle_dead(self, action: str, job_ids: Sequence[str]) -> list[bool]:
        return [bool(done) for done in await self._requeue(keys=[self._prefix], args=[action, *job_ids])]

    def _script(self, name: str) -> Any:
        texts = [(_SCRIPTS / f"{part}.lua").read_text() for part in ("common", name)]
        return self._redis.register_script("\n".join(texts))
