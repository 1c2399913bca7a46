"""The queue compared with a model in plain lists, over random sequences of operations.

Time does not advance here: a job becomes due when its score is moved into the past.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from app.connections import open_redis
from app.queue import Job, JobResult, Lease, Outcome, Priority, Queue, QueueFull
from app.settings import RedisSettings
from tests.support.backends import Process

T = TypeVar("T")

LIMIT, MAX_ATTEMPTS = 12, 3
PREFIX = "queue:{model}:"
IDS = [f"job{number}" for number in range(16)]
OWNERS = ["ada", "eve", ""]
# Keys that remain in Redis when the queue is empty.
CONSTANT = {"wake", "turn", "recurring"}


@dataclass
class Known:
    """A job as the model has it."""

    job: Job
    attempt: int = 0
    fence: int = 0


@dataclass
class Model:
    """Expected behavior of the queue, in plain lists."""

    jobs: dict[str, Known] = field(default_factory=dict)
    lines: dict[tuple[int, str], deque[str]] = field(default_factory=dict)
    owners: dict[int, deque[str]] = field(default_factory=lambda: {level: deque() for level in range(3)})
    delayed: list[str] = field(default_factory=list)
    leased: list[str] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    turn: int = 0

    def line_up(self, name: str, *, front: bool = False) -> None:
        job = self.jobs[name].job
        line = self.lines.setdefault((job.priority, job.owner), deque())
        (line.appendleft if front else line.append)(name)
        if len(line) == 1:
            (self.owners[job.priority].appendleft if front else self.owners[job.priority].append)(job.owner)

    @property
    def ready(self) -> int:
        return sum(map(len, self.lines.values()))

    def take(self, *, low: bool) -> str | None:
        """Return the job that is reserved next; one of the lowest priority only if `low`."""
        order = [0, 1, 2]
        if self.turn % 16 == 15:
            order = [2, 0, 1]
        elif self.turn % 4 == 3:
            order = [1, 0, 2]
        for level in order:
            if self.owners[level] and (low or level < Priority.LOW):
                owner = self.owners[level].popleft()
                line = self.lines[level, owner]
                name = line.popleft()
                if line:
                    self.owners[level].append(owner)
                self.turn += 1
                return name
        return None


class QueueMachine(RuleBasedStateMachine):
    """Each rule applies the same operation to both and compares the results."""

    port = 0
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.opened = open_redis(RedisSettings(f"redis://127.0.0.1:{self.port}/1", None, None))
        self.redis = self.wait(self.opened.__aenter__())
        self.raw: Any = self.redis  # redis-py types the replies of all its clients at once
        self.wait(self.redis.flushdb())
        self.queue = Queue(self.redis, "model", limit=LIMIT, visibility=3600.0, max_attempts=MAX_ATTEMPTS)
        self.model = Model()
        self.leases: dict[str, Lease] = {}

    def teardown(self) -> None:
        self.wait(self.opened.__aexit__(None, None, None))

    def wait(self, work: Awaitable[T]) -> T:
        async def whole() -> T:
            return await work

        return self.loop.run_until_complete(whole())

    @rule(
        name=st.sampled_from(IDS),
        owner=st.sampled_from(OWNERS),
        priority=st.sampled_from(Priority),
        later=st.booleans(),
    )
    def enqueue(self, name: str, owner: str, priority: Priority, later: bool) -> None:
        job = Job(name, "kind", b"body of " + name.encode(), owner, priority)
        work = self.queue.enqueue(job, delay=3600.0 if later else 0.0)
        if name in self.model.jobs:
            assert self.wait(work) == [False]
        elif self.model.ready + len(self.model.delayed) >= LIMIT:
            with pytest.raises(QueueFull):
                self.wait(work)
        else:
            assert self.wait(work) == [True]
            self.model.jobs[name] = Known(job)
            if later:
                self.model.delayed.append(name)
            else:
                self.model.line_up(name)

    @rule(count=st.integers(1, 4), max_low=st.none() | st.integers(0, 4))
    def reserve(self, count: int, max_low: int | None = None) -> None:
        leases = self.wait(self.queue.reserve(count, max_low=max_low)).leases
        expected: list[Lease] = []
        low_left = count if max_low is None else max_low
        while len(expected) < count and (name := self.model.take(low=low_left > 0)) is not None:
            known = self.model.jobs[name]
            known.attempt += 1
            known.fence += 1
            self.model.leased.append(name)
            priority = known.job.priority
            low_left -= priority is Priority.LOW
            lease = Lease(name, "kind", known.job.body, known.attempt, known.fence, priority=priority)
            expected.append(lease)
        assert leases == expected
        self.leases |= {lease.id: lease for lease in leases}

    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def settle(self, data: st.DataObject, outcome: Outcome) -> None:
        """Also with leases that were lost or settled before: those change nothing."""
        if not self.leases:
            return
        lease = self.leases[data.draw(st.sampled_from(sorted(self.leases)))]
        held = lease.id in self.model.leased and self.model.jobs[lease.id].fence == lease.fence
        assert self.wait(self.queue.settle(JobResult(lease, outcome, 3600.0, "why"))) == [held]
        if not held:
            return
        self.model.leased.remove(lease.id)
        if outcome is Outcome.DONE:
            del self.model.jobs[lease.id]
        elif outcome is Outcome.DEAD:
            self.model.dead.add(lease.id)
        else:
            self.model.jobs[lease.id].attempt -= outcome is not Outcome.RETRY
            if outcome is Outcome.RELEASED:
                self.model.line_up(lease.id, front=True)
            else:
                self.model.delayed.append(lease.id)

    @rule()
    def delays_end(self) -> None:
        """Expire all leases, then reserve once, since only a reservation requeues them."""
        names = sorted(self.model.delayed)
        for place, name in enumerate(names):
            self.wait(self.redis.zadd(PREFIX + "delayed", {name: 1 + place}))
            self.model.line_up(name)
        self.model.delayed.clear()
        self.reserve(1)

    @rule()
    def every_worker_dies(self) -> None:
        names = sorted(self.model.leased)
        for place, name in enumerate(names):
            self.wait(self.redis.zadd(PREFIX + "leased", {name: 1 + place}))
            if self.model.jobs[name].attempt >= MAX_ATTEMPTS:
                self.model.dead.add(name)
            else:
                self.model.line_up(name)
        self.model.leased.clear()
        self.reserve(1)

    @rule()
    def heartbeat(self) -> None:
        leases = list(self.leases.values())
        held = [
            lease.id in self.model.leased and self.model.jobs[lease.id].fence == lease.fence
            for lease in leases
        ]
        assert self.wait(self.queue.extend(leases)) == held

    @rule(name=st.sampled_from(IDS), again=st.booleans())
    def a_dead_letter_is_put_right(self, name: str, again: bool) -> None:
        found = name in self.model.dead
        assert self.wait((self.queue.requeue if again else self.queue.discard)(name)) == [found]
        if found:
            self.model.dead.discard(name)
            if again:
                self.model.jobs[name].attempt = 0
                self.model.line_up(name)
            else:
                del self.model.jobs[name]

    @invariant()
    def the_counts_are_those_of_the_model(self) -> None:
        depth = self.wait(self.queue.depth())
        lines = self.model.lines.items()
        assert depth.ready == {
            level: sum(len(line) for (at, _), line in lines if at == level) for level in Priority
        }
        counts = depth.delayed, depth.leased, depth.dead
        assert counts == (len(self.model.delayed), len(self.model.leased), len(self.model.dead))
        assert {letter.id for letter in self.wait(self.queue.dead_letters())} == self.model.dead

    @invariant()
    def redis_holds_a_hash_for_each_job_and_no_key_more_than_needed(self) -> None:
        names = {str(key, "utf-8").removeprefix(PREFIX) for key in self.wait(self.raw.keys("*"))}
        assert {name.removeprefix("job:") for name in names if name.startswith("job:")} == set(
            self.model.jobs
        )
        allowed = CONSTANT | {f"job:{name}" for name in self.model.jobs}
        allowed |= {f"line:{level}:{owner}" for (level, owner), line in self.model.lines.items() if line}
        allowed |= {
            f"{key}:{level}" for level in range(3) if self.model.owners[level] for key in ("owners", "since")
        }
        states = {"delayed": self.model.delayed, "leased": self.model.leased, "dead": self.model.dead}
        assert names <= allowed | {state for state, held in states.items() if held}


@pytest.mark.slow
def test_any_sequence_of_operations_matches_the_model(redis_process: Process) -> None:
    QueueMachine.port = redis_process.port
    QueueMachine.loop = asyncio.new_event_loop()
    try:
        run_state_machine_as_test(
            QueueMachine,
            settings=settings(
                max_examples=40,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        QueueMachine.loop.close()
