"""Data types of the job queue."""

from __future__ import annotations

import math
from enum import IntEnum, StrEnum

import msgspec


class Priority(IntEnum):
    """Priority of a job. Lower numbers are served first, except for one turn in four (see
    :mod:`app.queue.queue`).
    """

    HIGH = 0
    NORMAL = 1
    LOW = 2


class Job(msgspec.Struct, frozen=True):
    """A job to enqueue.

    ``id`` is also the de-duplication key: a job is not added while one with the same ID is waiting, running
    or dead-lettered. Owners of the same priority take turns, regardless of their number of jobs.
    ``timeout_seconds``: the job expires if it is not completed within this time after it was enqueued; 0
    disables expiry.
    """

    id: str
    kind: str
    body: bytes = b"{}"
    owner: str = ""
    priority: Priority = Priority.NORMAL
    timeout_seconds: float = 0.0


class Lease(msgspec.Struct, frozen=True):
    """A job leased to this worker until its visibility timeout.

    ``fence`` increases with every lease of the job; a result with an older fence is ignored. ``attempt``
    counts from 1. ``seconds_left`` is the time until the job expires, measured when it was leased.
    """

    id: str
    kind: str
    body: bytes
    attempt: int
    fence: int
    seconds_left: float = math.inf
    priority: Priority = Priority.NORMAL


class DeadLetter(msgspec.Struct, frozen=True):
    """A job that was given up. ``at`` is the Unix time in seconds on the Redis server's clock."""

    id: str
    kind: str
    owner: str
    attempts: int
    error: str
    at: float


class RetryLater(Exception):  # noqa: N818 (control flow, not an error)
    """Raised by a task to be retried after ``after`` seconds (default: exponential backoff).

    ``counts=False``: the attempt does not count, for a dependency known to be unavailable.
    """

    def __init__(self, reason: str, after: float | None = None, *, counts: bool = True) -> None:
        super().__init__(reason)
        self.after = after
        self.counts = counts


class Outcome(StrEnum):
    """How a lease is settled."""

    DONE = "done"
    RETRY = "retry"
    POSTPONED = "postponed"  # like RETRY, but the attempt does not count
    DEAD = "dead"
    RELEASED = "released"  # unfinished, returned to the front of its queue


class JobResult(msgspec.Struct, frozen=True):
    """How to settle a lease: retry ``after`` seconds, with ``error`` as the reason.

    ``result`` is the JSON result of a completed job, available from :meth:`Queue.result`; empty for none.
    """

    lease: Lease
    outcome: Outcome
    after: float = 0.0
    error: str = ""
    result: bytes = b""
