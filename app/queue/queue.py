"""The queue itself: every operation is one Lua script, so every step of a job is all or nothing.

Times come from the Redis server's clock only. A job is a hash; where it stands is a place in exactly one of:
a line (one for each owner and priority), ``delayed``, ``leased``, ``dead``.

- Of sixteen turns, twelve go by priority, three begin in the middle and one at the lowest: nobody starves.
- Within a priority the owners take turns, and an owner's jobs go in the order in which they came.
- A lease that is not extended within ``visibility`` seconds is given to another worker; after
  ``most_attempts`` leases the job is a dead letter. Dead letters are kept for two weeks, at most 10,000.
- More than ``limit`` waiting jobs are refused with :class:`QueueFull`.

Measured against SAQ and, where Redis 7 is there, streaq (``benchmarks/queues.py``); why none of them is used
is decision 15.
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

from app.queue.jobs import DeadLetter, Ending, Job, Lease, Priority
from app.redis.batcher import Together

_SCRIPTS: Final = Path(__file__).parent / "lua"
_RESULT_MS: Final = 3600 * 1000
_FULL_SECONDS: Final = 1.0
_MOST_TOGETHER: Final = 1_000  # jobs in one step: Redis does nothing else meanwhile
_LONGEST_ERROR: Final = 2_000  # characters


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

    @property
    def waiting(self) -> int:
        """What counts against the limit."""
        return sum(self.ready.values()) + self.delayed


@dataclass(frozen=True)
class Reserved:
    """``leases``, and after how many seconds (or infinitely many) something that waits becomes due.

    The time is only looked up when there was nothing to lease.
    """

    leases: list[Lease]
    due: float


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
        self.limit = limit
        self._visibility_ms = int(visibility * 1000)
        self.visibility = visibility
        self.most_attempts = most_attempts
        self._refused_at = float("-inf")
        self._adding: Together[tuple[Sequence[Job], int], list[int]] = Together(self._add, most=64)
        self._enqueue = self._script("enqueue")
        self._reserve = self._script("reserve")
        self._settle = self._script("settle")
        self._extend = self._script("extend")
        self._recur = self._script("recur")
        self._requeue = self._script("requeue")

    @property
    def full(self) -> bool:
        """Whether it refused a job within the last second: no time to promise more."""
        return time.monotonic() < self._refused_at + _FULL_SECONDS

    async def enqueue(self, *jobs: Job, delay: float = 0.0) -> list[bool]:
        """Add jobs after ``delay`` seconds, or :class:`QueueFull`; ``False`` for one that was there.

        What several callers add in the same moment travels together.
        """
        delay_ms = int(delay * 1000)
        added: list[int] = []
        for first in range(0, len(jobs), _MOST_TOGETHER):
            added += await self._adding.ask((jobs[first : first + _MOST_TOGETHER], delay_ms))
        if -1 in added:
            self._refused_at = time.monotonic()
            raise QueueFull(f"{added.count(-1)} of {len(jobs)} jobs were refused: {self.limit} are waiting")
        return [bool(value) for value in added]

    async def _add(self, calls: Sequence[tuple[Sequence[Job], int]]) -> list[list[int]]:
        arguments: list[Any] = [self.limit]
        for jobs, delay_ms in calls:
            for job in jobs:
                arguments += (job.id, job.kind, job.body, job.owner, int(job.priority), delay_ms)
                arguments.append(math.ceil(job.within * 1000))
        added = iter(await self._enqueue(keys=[self._prefix], args=arguments))
        return [list(islice(added, len(jobs))) for jobs, _ in calls]

    async def reserve(self, count: int) -> Reserved:
        """Lease up to ``count`` jobs for :attr:`visibility` seconds; does not wait."""
        flat = await self._reserve(keys=[self._prefix], args=[count, self._visibility_ms, self.most_attempts])
        leases = [
            Lease(
                flat[at].decode(),
                flat[at + 1].decode(),
                flat[at + 2],
                flat[at + 3],
                flat[at + 4],
                math.inf if flat[at + 5] < 0 else flat[at + 5] / 1000,
            )
            for at in range(1, len(flat), 6)
        ]
        return Reserved(leases, math.inf if flat[0] < 0 else flat[0] / 1000)

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
        arguments: list[Any] = [_RESULT_MS]
        for ending in endings:
            lease = ending.lease
            arguments += (lease.id, lease.fence, ending.outcome.value, int(ending.after * 1000))
            arguments += (ending.error[:_LONGEST_ERROR], ending.result)
        return [bool(settled) for settled in await self._settle(keys=[self._prefix], args=arguments)]

    async def recur(self, kinds: Sequence[tuple[str, float, Priority]]) -> float:
        """Add the recurring jobs (kind, every how many seconds, priority) that are due; however many
        workers ask, each is added once. The seconds until the next is due.
        """
        arguments: list[Any] = []
        for kind, seconds, priority in kinds:
            arguments += (kind, int(seconds * 1000), int(priority))
        return await self._recur(keys=[self._prefix], args=arguments) / 1000

    async def result(self, job_id: str, *, within: float = 0.0) -> bytes | None:
        """What came of a job, kept for an hour after it was done; waits up to ``within`` seconds for it.

        ``None``: it is not done (yet), or gave no result.
        """
        key = f"{self._prefix}result:{job_id}"
        found = await self._redis.get(key)
        if found is not None or within <= 0:
            return found
        until = time.monotonic() + within
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(self._prefix + "results")
            while (left := until - time.monotonic()) > 0:
                # After the subscription, so that a result of the meantime is not missed.
                found = await self._redis.get(key)
                if found is not None:
                    return found
                await self._told(subscription, job_id, left)
        return await self._redis.get(key)

    async def _told(self, subscription: Any, job_id: str, seconds: float) -> None:
        """Until a result of that job is announced. Others go by: a busy queue must not cause a read each."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await subscription.get_message(ignore_subscribe_messages=True, timeout=1.0)
                    if message is not None and message["data"] == job_id.encode():
                        return
        except TimeoutError:
            return

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

    async def dead_letters(self, count: int = 100) -> list[DeadLetter]:
        """The latest dead letters, the latest first."""
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
        """For each id, whether its job is a dead letter."""
        if not job_ids:
            return []
        scores = await self._redis.zmscore(self._prefix + "dead", list(job_ids))
        return [score is not None for score in scores]

    async def requeue(self, *job_ids: str) -> list[bool]:
        """Let dead letters be tried again from the first attempt; ``False`` for what is no dead letter."""
        return await self._bring_back("requeue", job_ids)

    async def discard(self, *job_ids: str) -> list[bool]:
        """Forget dead letters; ``False`` for what is none."""
        return await self._bring_back("discard", job_ids)

    async def _bring_back(self, how: str, job_ids: Sequence[str]) -> list[bool]:
        return [bool(done) for done in await self._requeue(keys=[self._prefix], args=[how, *job_ids])]

    def _script(self, name: str) -> Any:
        texts = [(_SCRIPTS / f"{part}.lua").read_text() for part in ("lines", name)]
        return self._redis.register_script("\n".join(texts))
