"""Which function does which kind of job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from app.queue.jobs import Job, Lease, Priority

B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class _Task:
    body: type[Any]
    run: Callable[[Any], Awaitable[None]]
    on_dead: Callable[[Any], Awaitable[None]] | None


class Tasks:
    """A registry: kinds of job, the type of their body, and the function that does them."""

    def __init__(self) -> None:
        self._tasks: dict[str, _Task] = {}

    def add(
        self,
        kind: str,
        body: type[B],
        task: Callable[[B], Awaitable[None]],
        *,
        on_dead: Callable[[B], Awaitable[None]] | None = None,
    ) -> None:
        """Let ``task`` do the jobs of ``kind``. It may be called more than once for the same job.

        ``on_dead`` is called when the last attempt has failed, before the job goes to the dead letters. It
        too may be called more than once, and not at all when the worker dies with the job's last attempt.
        """
        assert kind not in self._tasks, f"two tasks for {kind}"
        self._tasks[kind] = _Task(body, task, on_dead)

    async def run(self, lease: Lease) -> None:
        """Do a job. ``LookupError``: nothing does this kind; ``msgspec.DecodeError``: its body is spoiled."""
        task = self._tasks[lease.kind]
        await task.run(msgspec.json.decode(lease.body, type=task.body))

    async def give_up(self, lease: Lease) -> None:
        """Say that the job will not be done; raises what ``on_dead`` raises."""
        task = self._tasks.get(lease.kind)
        if task is not None and task.on_dead is not None:
            await task.on_dead(msgspec.json.decode(lease.body, type=task.body))


def job(
    kind: str, body: msgspec.Struct, *, job_id: str, owner: str = "", priority: Priority = Priority.NORMAL
) -> Job:
    """The job of ``kind`` with that body."""
    return Job(id=job_id, kind=kind, body=msgspec.json.encode(body), owner=owner, priority=priority)
