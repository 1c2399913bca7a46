"""Queue properties outside of the model: time, batches, fairness, costs."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from types import SimpleNamespace
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from app.connections import open_redis
from app.queue import Job, JobResult, Lease, Outcome, Priority, Queue, QueueFull
from app.queue import queue as queue_module
from app.settings import RedisSettings
from tests.app.conftest import filled
from tests.support.backends import Process, until

pytestmark = pytest.mark.anyio


def jobs(count: int, owner: str = "", priority: Priority = Priority.NORMAL) -> list[Job]:
    return [
        Job(f"{owner}{priority.name}{number}", "kind", owner=owner, priority=priority)
        for number in range(count)
    ]


async def reserved(queue: Queue, count: int) -> list[Lease]:
    return (await queue.reserve(count)).leases


async def test_turns_are_shared_between_priorities(redis: Redis) -> None:
    queue = Queue(redis)
    for priority in Priority:
        await queue.enqueue(*jobs(64, priority=priority))
    taken = Counter(lease.id.rstrip("0123456789") for lease in await reserved(queue, 64))
    assert taken == {"HIGH": 48, "NORMAL": 12, "LOW": 4}
    # Without jobs of other priorities, the lowest one gets every turn.
    await redis.flushall()
    await queue.enqueue(*jobs(64, priority=Priority.LOW))
    assert len(await reserved(queue, 64)) == 64


async def test_shares_are_the_same_when_leasing_one_job_at_a_time(redis: Redis) -> None:
    queue = Queue(redis)
    for priority in Priority:
        await queue.enqueue(*jobs(64, priority=priority))
    taken = Counter([(await reserved(queue, 1))[0].id.rstrip("0123456789") for _ in range(64)])
    assert taken == {"HIGH": 48, "NORMAL": 12, "LOW": 4}


async def test_jobs_of_the_lowest_priority_are_bounded_in_each_reservation(redis: Redis) -> None:
    queue = Queue(redis)
    for priority in (Priority.NORMAL, Priority.LOW):
        await queue.enqueue(*jobs(32, priority=priority))
    none = (await queue.reserve(32, max_low=0)).leases
    assert {lease.priority for lease in none} == {Priority.NORMAL}
    assert len((await queue.reserve(8, max_low=3)).leases) == 3
    assert (await queue.reserve(8, max_low=0)).leases == []
    assert (await queue.depth()).ready == {Priority.HIGH: 0, Priority.NORMAL: 0, Priority.LOW: 29}


async def test_owners_take_turns_regardless_of_their_number_of_jobs(redis: Redis) -> None:
    queue = Queue(redis)
    await queue.enqueue(*jobs(1_000, "mighty"))
    await queue.enqueue(*jobs(3, "ada"), *jobs(3, "eve"))
    first = [lease.id.partition("NORMAL")[0] for lease in await reserved(queue, 9)]
    assert Counter(first) == {"mighty": 3, "ada": 3, "eve": 3}


async def test_full_queue_rejects_jobs(redis: Redis) -> None:
    queue = Queue(redis, limit=3)
    with pytest.raises(QueueFull, match="2 of 5"):
        await queue.enqueue(*jobs(5))
    assert (await queue.depth()).waiting == 3
    assert queue.full
    await reserved(queue, 1)
    assert await queue.enqueue(Job("another", "kind")) == [True]


async def test_delayed_job_becomes_ready_after_its_delay(redis: Redis) -> None:
    queue = Queue(redis)
    began = time.monotonic()
    await queue.enqueue(Job("later", "kind"), delay=0.2)
    first = await queue.reserve(1)
    assert not first.leases
    assert 0.1 < first.due <= 0.2
    await until(lambda: taken(queue, "later"))
    assert time.monotonic() - began >= 0.19


async def taken(queue: Queue, name: str) -> bool:
    return [lease.id for lease in await reserved(queue, 1)] == [name]


async def test_expired_lease_goes_to_another_worker_and_is_reported_lost(redis: Redis) -> None:
    queue = Queue(redis, visibility=0.1)
    await queue.enqueue(Job("job", "kind"))
    lost = (await reserved(queue, 1))[0]
    await until(lambda: taken(queue, "job"))
    assert await queue.settle(JobResult(lost, Outcome.DONE)) == [False]
    assert await queue.extend([lost]) == [False]


async def test_extended_lease_stays_with_its_worker(redis: Redis) -> None:
    queue = Queue(redis, visibility=0.3)
    await queue.enqueue(Job("job", "kind"))
    lease = (await reserved(queue, 1))[0]
    end = time.monotonic() + 0.7
    while time.monotonic() < end:
        assert await queue.extend([lease]) == [True]
        assert not await reserved(queue, 1)
        await asyncio.sleep(0.02)
    assert await queue.settle(JobResult(lease, Outcome.DONE)) == [True]


async def test_jobs_are_processed_while_redis_is_full(redis: Redis) -> None:
    """Jobs have no lifetime, so the queue itself can leave nothing to evict."""
    queue = Queue(redis)
    await queue.enqueue(*jobs(4))
    async with filled(redis):
        with pytest.raises(ResponseError, match="OOM"):
            await queue.enqueue(Job("another", "kind"))
        done, retried, dead, _ = leases = await reserved(queue, 4)
        assert await queue.extend(leases) == [True] * 4
        settled = [
            JobResult(done, Outcome.DONE, result=b"42"),
            JobResult(retried, Outcome.RETRY),
            JobResult(dead, Outcome.DEAD),
        ]
        assert await queue.settle(*settled) == [True] * 3
        depth = await queue.depth()
        assert (depth.delayed, depth.leased, depth.dead) == (1, 1, 1)


async def test_lease_has_the_remaining_time_of_its_job(redis: Redis) -> None:
    queue = Queue(redis)
    await queue.enqueue(Job("short", "kind", timeout_seconds=30.0), Job("long", "kind"))
    short, long = await reserved(queue, 2)
    assert 29.0 < short.seconds_left <= 30.0
    assert long.seconds_left == float("inf")
    await queue.enqueue(Job("late", "kind", timeout_seconds=0.001))

    async def over() -> bool:
        late = (await reserved(queue, 1))[0]
        await queue.settle(JobResult(late, Outcome.RELEASED))
        return late.seconds_left == 0.0

    await until(over)


async def test_result_is_available_until_the_job_is_enqueued_again(redis: Redis) -> None:
    queue = Queue(redis)
    await queue.enqueue(Job("job", "kind"))
    assert await queue.result("job") is None
    asking = asyncio.create_task(queue.result("job", max_wait=10.0))

    async def listening() -> bool:
        return (await redis.pubsub_numsub("queue:{jobs}:results"))[0][1] == 1

    await until(listening)
    lease = (await reserved(queue, 1))[0]
    await queue.settle(JobResult(lease, Outcome.DONE, result=b"42"))
    assert await asking == b"42"
    assert await queue.result("job") == b"42"
    assert 3_500 < await redis.ttl("queue:{jobs}:result:job") <= 3_600
    await queue.enqueue(Job("job", "kind"))
    began = time.monotonic()
    assert await queue.result("job", max_wait=0.2) is None
    assert time.monotonic() - began >= 0.2


async def test_recurring_job_is_added_once_per_period_across_workers(redis: Redis) -> None:
    queues = [Queue(redis) for _ in range(5)]
    kinds = [("tick", 0.2, Priority.HIGH)]
    began, ticks, responses = time.monotonic(), 0, 0
    while time.monotonic() - began < 1.0:
        waits = await asyncio.gather(*(queue.recur(kinds) for queue in queues))
        assert all(0 <= wait <= 0.2 for wait in waits)
        for lease in await reserved(queues[0], 10):
            assert lease.id == "every:tick"
            await queues[0].settle(JobResult(lease, Outcome.DONE))
            ticks += 1
        responses += 1
    assert 4 <= ticks <= 7
    assert responses > ticks


async def test_recurring_job_does_not_overlap_and_survives_dead_letters(redis: Redis) -> None:
    queue = Queue(redis)
    kinds = [("tick", 0.05, Priority.HIGH)]

    async def due() -> bool:
        await queue.recur(kinds)
        return (await queue.depth()).ready[Priority.HIGH] == 1

    await until(due)
    lease = (await reserved(queue, 1))[0]
    for _ in range(5):
        await queue.recur(kinds)
        assert not await reserved(queue, 1)
        await asyncio.sleep(0.02)
    await queue.settle(JobResult(lease, Outcome.DEAD, error="broken"))
    await until(due)
    assert (await queue.depth()).dead == 0


async def test_dead_letter_has_its_error_and_can_be_requeued(redis: Redis) -> None:
    queue = Queue(redis)
    await queue.enqueue(Job("job", "kind", b"body", "ada", Priority.LOW))
    lease = (await reserved(queue, 1))[0]
    await queue.settle(JobResult(lease, Outcome.DEAD, error="it broke" * 1_000))
    (letter,) = await queue.dead_letters()
    assert (letter.id, letter.kind, letter.owner, letter.attempts) == ("job", "kind", "ada", 1)
    assert letter.error.startswith("it broke")
    assert len(letter.error) == 2_000
    assert abs(letter.at - time.time()) < 60
    assert await queue.enqueue(Job("job", "kind")) == [False], "a dead letter holds its id"
    assert await queue.requeue("job", "nobody") == [True, False]
    again = (await reserved(queue, 1))[0]
    assert (again.body, again.attempt, again.fence) == (b"body", 1, 2)


async def test_dead_letters_are_bounded(redis: Redis) -> None:
    queue = Queue(redis)
    dead = "queue:{jobs}:dead"
    await redis.zadd(dead, {f"old{number}": time.time() * 1000 - number for number in range(10_000)})
    await redis.hset("queue:{jobs}:job:old9999", "kind", "kind")
    await queue.enqueue(Job("job", "kind"))
    await queue.settle(JobResult((await reserved(queue, 1))[0], Outcome.DEAD, error="why"))
    assert await redis.zcard(dead) == 10_000
    assert not await redis.exists("queue:{jobs}:job:old9999")


async def test_idle_queue_leaves_only_known_keys(redis: Redis) -> None:
    queue = Queue(redis)
    for round_ in range(20):
        added = [*jobs(10, f"owner{round_}"), *jobs(10, priority=Priority.HIGH)]
        await queue.enqueue(*added)
        await queue.settle(*(JobResult(lease, Outcome.DONE) for lease in await reserved(queue, 20)))
    assert set(await redis.keys("*")) <= {b"queue:{jobs}:wake", b"queue:{jobs}:turn"}
    assert await redis.llen("queue:{jobs}:wake") <= 64


async def test_cost_of_an_operation_is_independent_of_the_queue_length(redis_process: Process) -> None:
    """Counted by Redis: commands run per reservation and settlement, at 100 jobs and at 20,000."""
    url = f"redis://127.0.0.1:{redis_process.port}/2"
    async with open_redis(RedisSettings(url, None, None)) as redis:
        await redis.flushdb()
        queue = Queue(redis, limit=1_000_000)

        async def calls() -> int:
            stats = await redis.info("commandstats")
            return sum(command["calls"] for name, command in stats.items() if "slowlog" not in name)

        costs: list[int] = []
        for count in (100, 20_000):
            await redis.flushdb()
            for first in range(0, count, 1_000):
                await queue.enqueue(*jobs(count, "ada")[first : first + 1_000])
            before = await calls()
            await queue.settle(*(JobResult(lease, Outcome.DONE) for lease in await reserved(queue, 8)))
            costs.append(await calls() - before)
        await redis.flushdb()
    assert costs[0] == costs[1]


async def test_full_queue_fits_in_the_memory_of_redis(redis: Redis) -> None:
    """``queueMi`` of every stack is at least 160: what 100,000 jobs need, measured on a tenth of them."""
    queue = Queue(redis)
    share = queue.limit // 10
    before = (await redis.info("memory"))["used_memory"]
    body = b'{"id":"%b","trace":"%b"}' % (b"i" * 36, b"t" * 55)
    jobs = [Job(str(uuid4()), "content.generate", body, uuid4().hex) for _ in range(share)]
    await queue.enqueue(*jobs)
    grown = (await redis.info("memory"))["used_memory"] - before
    assert 10 * grown < 160 * 1024 * 1024, f"{grown / share:.0f} bytes a job"


@pytest.mark.parametrize(("age", "full"), [(0.999, True), (1.0, False)])
async def test_rejection_counts_for_one_second(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, age: float, full: bool
) -> None:
    queue = Queue(redis)
    queue._rejected_at = 8.0
    monkeypatch.setattr(queue_module, "time", SimpleNamespace(monotonic=lambda: 8.0 + age))
    assert queue.full is full
