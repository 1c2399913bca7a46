"""Wait for a policy pack's port, and detect a pack that hangs, also on a slow machine.

Elapsed time alone does not distinguish them: on an overloaded machine the imports of a pack may take minutes.
A pack hangs when it neither runs nor waits for the disk, or when it uses far more processor time than any
import takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psutil

# Multiple of the limit after which the wait ends in any case.
_MAX_TIMES: Final = 10
# Share of the elapsed time below which a sleeping process only polls.
_MIN_SHARE: Final = 0.01
_STEP: Final = 0.5  # seconds between two samples of the process
_HANGING: Final = "it hangs before `PolicyPack(...)` is reached"
_RUNNING: Final = (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)


@dataclass(frozen=True)
class Activity:
    """Processor seconds that a process has used, and whether it runs or waits for the disk."""

    processor: float
    running: bool

    @classmethod
    def of(cls, pid: int) -> Activity | None:
        """Return the activity of a process; None if it has ended."""
        try:
            process = psutil.Process(pid)
            times, status = process.cpu_times(), process.status()
        except psutil.Error:
            return None
        # Subprocesses that ended count too.
        used = times.user + times.system + times.children_user + times.children_system
        return cls(used, status in _RUNNING)


@dataclass(frozen=True)
class Hang:
    """Why the wait ended without a line, and what to check."""

    reason: str
    remedy: str


def await_line(
    wait: Callable[[float], str | None],
    activity: Callable[[], Activity | None],
    limit: float,
    clock: Callable[[], float] = time.monotonic,
) -> str | Hang:
    """Return the first line of a process, "" if its output ended, or why it is considered to hang.

    `wait` waits for the line up to a number of seconds and returns None without one. The process hangs when
    it was idle for `limit` seconds in total, used `limit` seconds of processor time, or took ten times
    `limit` seconds.
    """
    began = seen = clock()
    used = idle = 0.0
    while True:
        line = wait(min(_STEP, limit))
        if line is not None:
            return line
        now, current = clock(), activity()
        if current is None:
            return wait(_STEP) or ""
        if not current.running and current.processor - used < _MIN_SHARE * (now - seen):
            idle += now - seen
        used, seen = current.processor, now
        waited = f"printed no port in {now - began:.0f} s"
        if idle >= limit:
            return Hang(
                f"{waited}, and was idle for {idle:.0f} s of them: {_HANGING}",
                "Look for a prompt, a lock or a network call at import time.",
            )
        if used >= limit:
            return Hang(
                f"{waited}, and used {used:.0f} s of processor time: {_HANGING}",
                "Look for a loop at import time.",
            )
        if now - began >= _MAX_TIMES * limit:
            return Hang(
                f"{waited}, of which it was idle for {idle:.0f} s and used {used:.0f} s of processor time: "
                "the machine is too slow, or the pack imports too much",
                "Run it again when the machine has less load.",
            )
