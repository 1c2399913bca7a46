"""Which function does which kind of job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from app.queue.jobs import Job, Lease, Priority
from app.resilience.deadline import deadline

B = TypeVar("B")

_LONGEST_SECONDS: Final = 300.0


class Undoable(Exception):  # noqa: N818 (what a job is)
    """No number of attempts would help: nothing does this kind of job, or its body is spoiled."""


class Nothing(msgspec.Struct):
    """The body of a job that needs none."""


@dataclass(frozen=True, slots=True)
class _Task:
    body: type[Any]
    run: Callable[[Any], Awaitable[msgspec.Struct | None]]
    on_dead: Callable[[Any], Awaitable[None]] | None
    seconds: float


class Tasks:
    """A registry: kinds of job, the type of their body, and the function that does them."""

    def __init__(self) -> None:
        self._tasks: dict[str, _Task] = {}
        self.recurring: list[tuple[str, float, Priority]] = []

    def add(
        self,
        kind: str,
        body: type[B],
        task: Callable[[B], Awaitable[msgspec.Struct | None]],
        *,
        on_dead: Callable[[B], Awaitable[None]] | None,
        seconds: float = _LONGEST_SECONDS,
    ) -> None:
        """Let ``task`` do the jobs of ``kind``, each within ``seconds``: then it is cancelled, and the
        attempt has failed. It may be called more than once for the same job. What it returns is the job's
        result.

        ``on_dead`` is called when the last attempt has failed, before the job becomes a dead letter; it
        settles what the job was for. It too may be called more than once. When it fails, or the worker dies
        with the last attempt, the sweep (:mod:`app.queue.sweep`) finds the dead letter and settles it.
        ``None`` is for work that nobody waits for, such as recurring jobs.
        """
        assert kind not in self._tasks, f"two tasks for {kind}"
        self._tasks[kind] = _Task(body, task, on_dead, seconds)

    def every(
        self,
        period: float,
        kind: str,
        task: Callable[[Nothing], Awaitable[msgspec.Struct | None]],
        *,
        priority: Priority = Priority.HIGH,
        seconds: float = _LONGEST_SECONDS,
    ) -> None:
        """Do ``task`` every ``period`` seconds, by one worker of all, never beside itself."""
        self.add(kind, Nothing, task, on_dead=None, seconds=seconds)
        self.recurring.append((kind, period, priority))

    async def run(self, lease: Lease) -> bytes:
        """Do a job; its result, or nothing. Raises :class:`Undoable`, ``TimeoutError`` when it took too long,
        and what the task raises.
        """
        task = self._tasks.get(lease.kind)
        if task is None:
            raise Undoable(f"nothing does jobs of the kind {lease.kind!r}")
        try:
            body = msgspec.json.decode(lease.body, type=task.body)
        except msgspec.DecodeError as error:
            raise Undoable(f"its body is spoiled: {error}") from error
        async with deadline(min(task.seconds, lease.left)):
            result = await task.run(body)
        return b"" if result is None else msgspec.json.encode(result)

    async def give_up(self, lease: Lease) -> None:
        """Say that the job will not be done; raises what ``on_dead`` raises."""
        task = self._tasks.get(lease.kind)
        if task is not None and task.on_dead is not None:
            await task.on_dead(msgspec.json.decode(lease.body, type=task.body))


def job(
    kind: str,
    body: msgspec.Struct,
    *,
    job_id: str,
    owner: str = "",
    priority: Priority = Priority.NORMAL,
    within: float = 0.0,
) -> Job:
    """The job of ``kind`` with that body."""
    encoded = msgspec.json.encode(body)
    return Job(id=job_id, kind=kind, body=encoded, owner=owner, priority=priority, within=within)
