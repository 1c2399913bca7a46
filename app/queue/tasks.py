"""Registry of the functions that run each kind of job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from app.queue.jobs import Job, Lease, Priority
from app.resilience.deadline import deadline

B = TypeVar("B")

_MAX_TASK_SECONDS: Final = 300.0


class PermanentError(Exception):
    """The job cannot succeed on retry: its kind is unknown or its body is malformed."""


class EmptyBody(msgspec.Struct):
    """Body of a job without parameters."""


@dataclass(frozen=True, slots=True)
class _Task:
    body: type[Any]
    run: Callable[[Any], Awaitable[msgspec.Struct | None]]
    on_dead: Callable[[Any], Awaitable[None]] | None
    seconds: float


class Tasks:
    """Registry of job kinds: the type of their body and the function that runs them."""

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
        seconds: float = _MAX_TASK_SECONDS,
    ) -> None:
        """Register ``task`` for jobs of ``kind``, each limited to ``seconds``.

        After ``seconds`` the task is cancelled and the attempt fails. The task must be idempotent. Its return
        value is the job's result.

        ``on_dead`` is called after the last attempt failed, before the job is dead-lettered; it records the
        failure and must be idempotent. If it fails, or the worker dies during the last attempt, the sweep
        (:mod:`app.queue.sweep`) finds the dead letter and settles it. ``None`` is for jobs without a recorded
        state, such as recurring jobs.
        """
        assert kind not in self._tasks, f"duplicate task for {kind}"
        self._tasks[kind] = _Task(body, task, on_dead, seconds)

    def every(
        self,
        period: float,
        kind: str,
        task: Callable[[EmptyBody], Awaitable[msgspec.Struct | None]],
        *,
        priority: Priority = Priority.HIGH,
        seconds: float = _MAX_TASK_SECONDS,
    ) -> None:
        """Run ``task`` every ``period`` seconds on one worker at a time, without overlapping runs."""
        self.add(kind, EmptyBody, task, on_dead=None, seconds=seconds)
        self.recurring.append((kind, period, priority))

    async def run(self, lease: Lease) -> bytes:
        """Run a job; return its JSON result, empty for none.

        Raises :class:`PermanentError`, ``TimeoutError`` after the time limit, and errors of the task.
        """
        task = self._tasks.get(lease.kind)
        if task is None:
            raise PermanentError(f"no task is registered for jobs of kind {lease.kind!r}")
        try:
            body = msgspec.json.decode(lease.body, type=task.body)
        except msgspec.DecodeError as error:
            raise PermanentError(f"malformed job body: {error}") from error
        async with deadline(min(task.seconds, lease.seconds_left)):
            result = await task.run(body)
        return b"" if result is None else msgspec.json.encode(result)

    async def give_up(self, lease: Lease) -> None:
        """Call the ``on_dead`` handler of the job's kind; raises its errors."""
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
    timeout_seconds: float = 0.0,
) -> Job:
    """Return a job of ``kind`` with an encoded body."""
    encoded = msgspec.json.encode(body)
    return Job(
        id=job_id, kind=kind, body=encoded, owner=owner, priority=priority, timeout_seconds=timeout_seconds
    )
