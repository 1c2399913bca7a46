"""The operator's view of the queue: `python -m app jobs`."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis

from app.queue import Job, JobResult, Outcome, Queue
from app.queue.cli import QueueState, main
from tests.support import backends
from tests.support.backends import Process

pytestmark = pytest.mark.anyio


@pytest.fixture
def environ(redis_process: Process, tmp_path: Path) -> dict[str, str]:
    return backends.environment(tmp_path, redis=redis_process.port, mongodb=1, storage=1)


async def end(queue: Queue, outcome: Outcome, *jobs: Job) -> None:
    await queue.enqueue(*jobs)
    leases = (await queue.reserve(len(jobs))).leases
    await queue.settle(*(JobResult(lease, outcome, error="it broke", result=b"{}") for lease in leases))


async def test_state_command_prints_job_counts(
    redis: Redis, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    await Queue(redis).enqueue(Job("one", "kind"), Job("two", "kind"))
    assert await main(["--json"], environ) == 0
    state = msgspec.json.decode(capsys.readouterr().out, type=QueueState)
    assert (state.ready, state.dead) == ({"high": 0, "normal": 2, "low": 0}, 0)


async def test_dead_letters_are_listed_requeued_and_discarded(
    redis: Redis, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    queue = Queue(redis)
    assert await main(["dead"], environ) == 0
    assert capsys.readouterr().out == "no dead letters\n"
    await end(queue, Outcome.DEAD, Job("one", "kind"), Job("two", "kind"), Job("three", "kind"))
    assert await main(["dead"], environ) == 0
    assert "one  kind, 1 attempts: 'it broke'" in capsys.readouterr().out
    assert await main(["requeue", "one"], environ) == 0
    assert await main(["discard", "two", "four"], environ) == 1
    assert "two: done\nfour: not a dead letter" in capsys.readouterr().out
    assert await main(["requeue", "all"], environ) == 0
    assert [lease.id for lease in (await queue.reserve(9)).leases] == ["one", "three"]


async def test_result_command_prints_the_result(
    redis: Redis, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    await end(Queue(redis), Outcome.DONE, Job("one", "kind"))
    assert await main(["result", "one"], environ) == 0
    assert capsys.readouterr().out == "{}\n"


@pytest.mark.parametrize("words", [["dead", "one"], ["requeue"], ["result"], ["bury", "one"]])
async def test_invalid_arguments_print_the_usage(
    environ: dict[str, str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await main(words, environ) == 2
    assert capsys.readouterr().err.startswith("usage: python -m app jobs [dead | requeue ID…")


async def test_redis_outage_is_reported_without_a_traceback(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = environ | {"KINGDOM_REDIS_URL": f"redis://127.0.0.1:{backends.free_port()}/0"}
    assert await main([], nowhere) == 1
    assert capsys.readouterr().err.startswith("Redis is unavailable: ConnectionError")
