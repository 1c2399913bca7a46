"""Workers: the results of jobs that succeed, fail, hang, or lose their worker."""

from __future__ import annotations

import asyncio
import itertools
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
from redis.asyncio import Redis

from app.connections import REDIS_ERRORS
from app.queue import Consumer, DeadLetter, EmptyBody, Job, Lease, Priority, Queue, RetryLater, Tasks
from tests.support.backends import ROOT, Process, until

pytestmark = pytest.mark.anyio


class Body(msgspec.Struct):
    number: int = 0


class Notes:
    """A task that records its calls and raises the configured error."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.dead: list[int] = []
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, body: Body) -> Body:
        self.seen.append(body.number)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return body

    async def give_up(self, body: Body) -> None:
        self.dead.append(body.number)


def tasks_of(notes: Notes, seconds: float = 60.0) -> Tasks:
    tasks = Tasks()
    tasks.add("note", Body, notes, on_dead=notes.give_up, seconds=seconds)
    return tasks


@asynccontextmanager
async def working(queue: Queue, tasks: Tasks, slots: int = 8) -> AsyncIterator[Consumer]:
    consumer = Consumer(queue, tasks, slots=slots)
    running = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        await consumer.stop(1.0)
        await running


def note(number: int, *, timeout: float = 0.0) -> Job:
    return Job(f"job{number}", "note", msgspec.json.encode(Body(number)), timeout_seconds=timeout)


async def only_dead_letter(queue: Queue) -> DeadLetter:
    await until(lambda: has_dead(queue))
    (letter,) = await queue.dead_letters()
    return letter


async def has_dead(queue: Queue) -> bool:
    return (await queue.depth()).dead == 1


async def empty(queue: Queue) -> bool:
    depth = await queue.depth()
    return depth.waiting + depth.leased == 0


async def test_every_job_is_completed_and_its_result_stored(redis: Redis) -> None:
    queue, notes = Queue(redis), Notes()
    async with working(queue, tasks_of(notes)):
        await queue.enqueue(*(note(number) for number in range(50)))
        assert await queue.result("job49", max_wait=10.0) == b'{"number":49}'
        await until(lambda: empty(queue))
    assert sorted(notes.seen) == list(range(50))


async def test_failed_job_is_retried_then_dead_lettered_with_its_handler(redis: Redis) -> None:
    queue, notes = Queue(redis, max_attempts=3), Notes()
    notes.error = RetryLater("not now", after=0.01)
    async with working(queue, tasks_of(notes)):
        await queue.enqueue(note(1))
        letter = await only_dead_letter(queue)
    assert (notes.seen, notes.dead) == ([1, 1, 1], [1])
    assert (letter.attempts, letter.error) == (3, "not now")


async def test_task_error_is_a_failed_attempt_and_not_permanent(redis: Redis) -> None:
    queue, notes = Queue(redis, max_attempts=1), Notes()
    notes.error = KeyError("a mistake of the task")
    async with working(queue, tasks_of(notes)):
        await queue.enqueue(note(1))
        letter = await only_dead_letter(queue)
    assert letter.error == "KeyError('a mistake of the task')"


async def test_permanent_errors_are_not_retried(redis: Redis) -> None:
    queue, notes = Queue(redis), Notes()
    async with working(queue, tasks_of(notes)):
        await queue.enqueue(Job("malformed", "note", b"{"))
        assert "malformed" in (await only_dead_letter(queue)).error
        await queue.discard("malformed")
        await queue.enqueue(Job("unknown", "unheard of"))
        assert "unheard of" in (await only_dead_letter(queue)).error
    assert notes.seen == []


async def test_attempt_that_does_not_count_is_not_counted(redis: Redis) -> None:
    queue, notes = Queue(redis, max_attempts=2), Notes()
    notes.error = RetryLater("the generator is away", after=0.0, counts=False)
    async with working(queue, tasks_of(notes)):
        await queue.enqueue(note(1))
        await until(lambda: len(notes.seen) > 5)
        notes.error = None
        await until(lambda: empty(queue))
    assert notes.dead == []


async def test_hanging_job_is_cancelled_and_counts_as_failed(redis: Redis) -> None:
    queue, notes = Queue(redis, max_attempts=1), Notes()
    notes.gate.clear()
    async with working(queue, tasks_of(notes, seconds=0.05)):
        await queue.enqueue(note(1))
        letter = await only_dead_letter(queue)
    assert letter.error == "TimeoutError()"


async def test_expired_job_is_not_started(redis: Redis) -> None:
    queue, notes = Queue(redis), Notes()
    await queue.enqueue(note(1, timeout=0.001), delay=0.05)
    async with working(queue, tasks_of(notes)):
        letter = await only_dead_letter(queue)
    assert (notes.seen, notes.dead) == ([], [1])
    assert letter.error == "job expired"


async def test_delayed_job_starts_without_a_poll_of_an_idle_worker(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.queue.consumer._POLL_SECONDS", 60.0)
    queue, notes = Queue(redis), Notes()
    async with working(queue, tasks_of(notes)):
        due = time.monotonic() + 0.3
        await queue.enqueue(note(1), delay=0.3)
        await until(lambda: bool(notes.seen))
        assert time.monotonic() > due - 0.01


async def test_recurring_task_runs_repeatedly(redis: Redis) -> None:
    queue = Queue(redis)
    ticks: list[float] = []

    async def tick(_: EmptyBody) -> Body:
        ticks.append(time.monotonic())
        return Body(len(ticks))

    tasks = Tasks()
    tasks.every(0.1, "tick", tick)
    async with working(queue, tasks), working(queue, tasks):
        await until(lambda: len(ticks) >= 5)
        assert await queue.result("every:tick") is not None
    assert all(later - earlier > 0.05 for earlier, later in itertools.pairwise(ticks[1:]))


async def test_long_jobs_of_the_lowest_priority_do_not_occupy_every_slot(redis: Redis) -> None:
    queue, slow, notes = Queue(redis), Notes(), Notes()
    slow.gate.clear()
    tasks = tasks_of(notes)
    tasks.add("slow", Body, slow, on_dead=None)
    images = [
        Job(f"slow{number}", "slow", msgspec.json.encode(Body(number)), priority=Priority.LOW)
        for number in range(8)
    ]
    await queue.enqueue(*images)
    consumer = Consumer(queue, tasks, slots=4, max_low=2)
    running = asyncio.create_task(consumer.run())
    await until(lambda: len(slow.seen) == 2)
    await queue.enqueue(*(note(number) for number in range(20)))
    await until(lambda: len(notes.seen) == 20)
    assert len(slow.seen) == 2
    began = time.monotonic()
    slow.gate.set()
    await until(lambda: empty(queue))
    assert time.monotonic() - began < 1, "the end of a job is not waited for by polling"
    assert sorted(slow.seen) == list(range(8))
    await consumer.stop(1.0)
    await running


async def test_stop_waits_for_running_jobs_and_releases_the_rest_to_the_front(redis: Redis) -> None:
    queue, notes = Queue(redis), Notes()
    notes.gate.clear()
    await queue.enqueue(*(note(number) for number in range(8)))
    consumer = Consumer(queue, tasks_of(notes), slots=4)
    running = asyncio.create_task(consumer.run())
    await until(lambda: len(notes.seen) == 4)
    await consumer.stop(0.01)
    await running
    depth = await queue.depth()
    assert (depth.ready[Priority.NORMAL], depth.leased, depth.dead) == (8, 0, 0)
    again = (await queue.reserve(8)).leases
    assert {lease.id for lease in again[:4]} == {f"job{number}" for number in range(4)}
    assert {lease.attempt for lease in again} == {1}, "a released job has not used an attempt"


async def test_stop_leases_nothing_more_and_leaves_no_lease(redis: Redis) -> None:
    """Stop at any moment: while the consumer reserves, sleeps or works."""
    queue, notes = Queue(redis), Notes()
    await queue.enqueue(*(note(number) for number in range(200)))
    for steps in range(60):
        consumer = Consumer(queue, tasks_of(notes), slots=4)
        running = asyncio.create_task(consumer.run())
        for _ in range(steps):
            await asyncio.sleep(0)
        await consumer.stop(0.0)
        await running
        assert (await queue.depth()).leased == 0
    assert (await queue.depth()).dead == 0


async def test_redis_outage_while_settling_does_not_repeat_the_job(
    redis: Redis, redis_process: Process
) -> None:
    queue, notes = Queue(redis, visibility=20.0), Notes()
    notes.gate.clear()
    async with working(queue, tasks_of(notes)):
        await queue.enqueue(note(1))
        await until(lambda: notes.seen == [1])
        redis_process.kill()
        notes.gate.set()
        await asyncio.sleep(0.05)
        redis_process.start()
        await until(lambda: reachable_and_empty(queue))
    assert notes.seen == [1]


async def reachable_and_empty(queue: Queue) -> bool:
    try:
        return await empty(queue)
    except REDIS_ERRORS:
        return False


async def test_lost_lease_cancels_the_job(redis: Redis) -> None:
    queue = Queue(redis, visibility=0.3)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def task(_: Body) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    tasks = Tasks()
    tasks.add("note", Body, task, on_dead=None)
    async with working(queue, tasks):
        await queue.enqueue(note(1))
        await begun.wait()
        await redis.hset("queue:{jobs}:job:job1", "fence", 9)  # as if another worker had it now
        async with asyncio.timeout(5):
            await ended.wait()
        await redis.zrem("queue:{jobs}:leased", "job1")


@pytest.mark.parametrize("step", ["leased", "begun", "done"])
async def test_job_of_a_killed_worker_is_completed_by_another(
    redis: Redis, redis_process: Process, step: str
) -> None:
    """Killed when the job was leased, while it ran, and after its effect but before it was settled."""
    queue, notes = Queue(redis, visibility=0.4), Notes()
    await queue.enqueue(note(1))
    url = f"redis://127.0.0.1:{redis_process.port}/0"
    command = [sys.executable, "-m", "tests.app.queue.crashing_worker", url, step]
    crashing = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    assert crashing.stdout is not None
    assert await crashing.stdout.readline() == step.encode() + b"\n"
    crashing.send_signal(signal.SIGKILL)
    await crashing.wait()
    assert (await queue.depth()).leased == 1
    async with working(queue, tasks_of(notes)):
        await until(lambda: empty(queue))
    assert notes.seen == [1]
    assert await queue.dead_letters() == []


async def test_job_that_kills_its_workers_is_dead_lettered(redis: Redis) -> None:
    queue = Queue(redis, visibility=0.01, max_attempts=3)
    await queue.enqueue(note(1))

    async def dead() -> bool:
        await queue.reserve(1)
        return (await queue.depth()).dead == 1

    await until(dead)
    assert [letter.error for letter in await queue.dead_letters()] == ["lease expired: worker lost"]


async def test_job_that_runs_longer_than_its_lease_runs_once(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, notes = Queue(redis, visibility=0.5), Notes()
    extensions: list[list[bool]] = []
    extend = queue.extend

    async def recorded(leases: Sequence[Lease]) -> list[bool]:
        extensions.append(await extend(leases))
        return extensions[-1]

    monkeypatch.setattr(queue, "extend", recorded)
    notes.gate.clear()
    await queue.enqueue(note(1))
    async with working(queue, tasks_of(notes)):
        await until(lambda: len(extensions) >= 5)
        notes.gate.set()
        await until(lambda: empty(queue))
    assert extensions[:5] == [[True]] * 5
    assert notes.seen == [1]


@pytest.mark.parametrize(("seconds", "waits"), [(0.009, []), (0.01, [0.01]), (0.02, [0.02])])
async def test_waits_for_a_job_in_redis_last_at_least_ten_milliseconds(
    monkeypatch: pytest.MonkeyPatch, seconds: float, waits: list[float]
) -> None:
    queue, waited = Queue(Redis()), list[float]()

    async def wait(duration: float) -> None:
        waited.append(duration)

    monkeypatch.setattr(queue, "wait", wait)
    await Consumer(queue, tasks_of(Notes()))._sleep(seconds)
    assert waited == waits
