"""The worker: jobs, the sweep of lost jobs, and maintenance."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo.errors import AutoReconnect
from redis.exceptions import ConnectionError as RedisConnectionError

from app import clock, worker
from app.database.index_advisor.inventory import Busy
from app.queue import EmptyBody, RetryLater
from app.redis.lease import LeaseLost
from tests.app.conftest import Person
from tests.support.backends import Platform, status


def test_content_is_generated_by_the_worker(ada: Person) -> None:
    content = ada.create("a fox in the snow")
    assert content["state"] == "queued"
    made = ada.finished(content["id"])
    assert made["state"] == "ready"
    assert "a fox in the snow" in made["text"]
    image = ada.client.get(made["image"])
    assert image.headers["content-type"] == "image/webp"
    assert image.content[8:12] == b"WEBP"
    assert made["created_at"] == content["created_at"]


def test_a_worker_has_no_api(platform: Platform) -> None:
    assert status(platform.worker, "/v1/contents") == 404


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def counting(value: int) -> Any:
    async def count() -> int:
        return value

    return count


def failing(error: Exception) -> Any:
    async def fail(*_: object) -> int:
        raise error

    return fail


def services(**changes: Any) -> Any:
    found = {
        "generation": SimpleNamespace(requeue=counting(1)),
        "variant_jobs": SimpleNamespace(requeue=counting(2)),
        "deletions": SimpleNamespace(sweep=counting(3)),
    }
    return SimpleNamespace(**(found | changes))


@pytest.mark.anyio
async def test_sweep_counts_the_requeued_jobs() -> None:
    assert await worker._sweep(services(), EmptyBody()) == worker.SweepCounts(1, 2, 3)


@pytest.mark.anyio
@pytest.mark.parametrize("error", [AutoReconnect("lost"), RedisConnectionError("lost"), LeaseLost("lost")])
async def test_job_is_retried_later_during_an_outage(error: Exception) -> None:
    broken = services(deletions=SimpleNamespace(sweep=failing(error)))
    with pytest.raises(RetryLater, match=f"interrupted: {type(error).__name__}"):
        await worker._sweep(broken, EmptyBody())


@pytest.mark.anyio
async def test_programming_error_is_not_retried_as_an_outage() -> None:
    broken = services(generation=SimpleNamespace(requeue=failing(KeyError("state"))))
    with pytest.raises(KeyError):
        await worker._sweep(broken, EmptyBody())


@pytest.mark.anyio
async def test_maintenance_that_already_runs_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "run_once", failing(Busy()))
    settings = SimpleNamespace(mongodb=None)
    await worker._maintain_indexes(services(database=None, redis=None, settings=settings), EmptyBody())


@pytest.mark.anyio
async def test_past_days_are_rolled_up() -> None:
    days: list[date] = []

    async def roll_up(today: date) -> int:
        days.append(today)
        return 4

    found = await worker._roll_up_days(services(summaries=SimpleNamespace(roll_up=roll_up)), EmptyBody())
    assert found.days == 4
    assert days == [clock.now().date()]
