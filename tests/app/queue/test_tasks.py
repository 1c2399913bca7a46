"""Task registry: bodies are decoded, time is limited, dead jobs are settled."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from app.queue.jobs import Lease, Priority
from app.queue.tasks import EmptyBody, PermanentError, Tasks, job

pytestmark = pytest.mark.anyio


class Body(msgspec.Struct):
    number: int


def leased(kind: str, body: bytes = b'{"number":7}', *, seconds_left: float = float("inf")) -> Lease:
    return Lease("id", kind, body, 1, 1, seconds_left)


async def double(body: Body) -> Body:
    return Body(2 * body.number)


async def test_task_gets_its_decoded_body_and_its_result_is_encoded() -> None:
    tasks = Tasks()
    tasks.add("double", Body, double, on_dead=None)
    assert await tasks.run(leased("double")) == b'{"number":14}'


async def test_task_without_result_has_an_empty_one() -> None:
    async def nothing(_: EmptyBody) -> None: ...

    tasks = Tasks()
    tasks.every(5.0, "nothing", nothing)
    assert await tasks.run(leased("nothing", b"{}")) == b""
    assert tasks.recurring == [("nothing", 5.0, Priority.HIGH)]


@pytest.mark.parametrize("lease", [leased("unknown"), leased("double", b"{"), leased("double", b"{}")])
async def test_unknown_kinds_and_malformed_bodies_are_permanent_errors(lease: Lease) -> None:
    tasks = Tasks()
    tasks.add("double", Body, double, on_dead=None)
    with pytest.raises(PermanentError):
        await tasks.run(lease)


@pytest.mark.parametrize(("seconds", "left"), [(0.01, 60.0), (60.0, 0.01)])
async def test_task_is_cancelled_at_its_limit_or_at_the_jobs_expiry(seconds: float, left: float) -> None:
    async def hang(_: Body) -> None:
        await asyncio.Event().wait()

    tasks = Tasks()
    tasks.add("hang", Body, hang, on_dead=None, seconds=seconds)
    with pytest.raises(TimeoutError):
        await tasks.run(leased("hang", seconds_left=left))


async def test_dead_letter_handler_gets_the_body() -> None:
    dead: list[int] = []

    async def on_dead(body: Body) -> None:
        dead.append(body.number)

    tasks = Tasks()
    tasks.add("double", Body, double, on_dead=on_dead)
    tasks.add("ignored", Body, double, on_dead=None)
    await tasks.give_up(leased("double"))
    await tasks.give_up(leased("ignored"))
    await tasks.give_up(leased("unknown"))
    assert dead == [7]


def test_kind_cannot_be_registered_twice() -> None:
    tasks = Tasks()
    tasks.add("double", Body, double, on_dead=None)
    with pytest.raises(AssertionError, match="duplicate"):
        tasks.add("double", Body, double, on_dead=None)


def test_job_has_an_encoded_body() -> None:
    made = job("double", Body(3), job_id="id", owner="ada", priority=Priority.LOW, timeout_seconds=5.0)
    assert (made.id, made.kind, made.body, made.owner) == ("id", "double", b'{"number":3}', "ada")
    assert (made.priority, made.timeout_seconds) == (Priority.LOW, 5.0)
