"""Which function does which kind of job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from app.queue.jobs import Job, Lease, Priority

B = TypeVar("B")


class Tasks:
    """A registry: kinds of job, the type of their body, and the function that does them."""

    def __init__(self) -> None:
        self._tasks: dict[str, tuple[type[Any], Callable[[Any], Awaitable[None]]]] = {}

    def add(self, kind: str, body: type[B], task: Callable[[B], Awaitable[None]]) -> None:
        """Let ``task`` do the jobs of ``kind``. It may be called more than once for the same job."""
        assert kind not in self._tasks, f"two tasks for {kind}"
        self._tasks[kind] = (body, task)

    async def run(self, lease: Lease) -> None:
        """Do a job. ``LookupError``: nothing does this kind; ``msgspec.DecodeError``: its body is spoiled."""
        body, task = self._tasks[lease.kind]
        await task(msgspec.json.decode(lease.body, type=body))


def job(
    kind: str, body: msgspec.Struct, *, job_id: str, owner: str = "", priority: Priority = Priority.NORMAL
) -> Job:
    """The job of ``kind`` with that body."""
    return Job(id=job_id, kind=kind, body=msgspec.json.encode(body), owner=owner, priority=priority)
