"""What travels through the queue."""

from __future__ import annotations

import math
from enum import IntEnum, StrEnum

import msgspec


class Priority(IntEnum):
    """Which line a job stands in. A lower number is served first, but for one turn in four."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


class Job(msgspec.Struct, frozen=True):
    """Something to do later.

    ``id`` is also the key of de-duplication: a job whose id is still waiting, running or among the dead
    letters is not added again. ``owner`` takes turns with the other owners of the same priority, however many
    jobs each has. ``within`` seconds from now it must be done, or nobody waits for it any more; 0: for ever.
    """

    id: str
    kind: str
    body: bytes = b"{}"
    owner: str = ""
    priority: Priority = Priority.NORMAL
    within: float = 0.0


class Lease(msgspec.Struct, frozen=True):
    """A job that this worker holds until its visibility time-out.

    ``fence`` grows with every lease of the job; what is done under an older one no longer counts.
    ``attempt`` counts from 1. ``left``: the seconds in which it must be done, counted from the lease.
    """

    id: str
    kind: str
    body: bytes
    attempt: int
    fence: int
    left: float = math.inf


class DeadLetter(msgspec.Struct, frozen=True):
    """A job that was given up. ``at``: when, in seconds of the epoch on Redis' clock."""

    id: str
    kind: str
    owner: str
    attempts: int
    error: str
    at: float


class Retry(Exception):  # noqa: N818 (a wish, not an error)
    """Raised by a task: not now, try again. ``after`` seconds, or the usual back-off.

    With ``counts=False`` the attempt was none: what the job needs was known to be away before it was asked.
    """

    def __init__(self, reason: str, after: float | None = None, *, counts: bool = True) -> None:
        super().__init__(reason)
        self.after = after
        self.counts = counts


class Outcome(StrEnum):
    """How a lease ends."""

    DONE = "done"
    RETRY = "retry"
    LATER = "later"  # as RETRY, but the attempt does not count
    DEAD = "dead"
    BACK = "back"  # unfinished, to the front of its line


class Ending(msgspec.Struct, frozen=True):
    """The end of a lease: ``after`` seconds the job may be tried again, ``error`` says why it must.

    ``result``: what came of a job that is done, for whoever asks (:meth:`Queue.result`); empty is none.
    """

    lease: Lease
    outcome: Outcome
    after: float = 0.0
    error: str = ""
    result: bytes = b""
