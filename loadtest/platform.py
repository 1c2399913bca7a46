"""The platform of ``make up``: where it is, and what it costs in processor time."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from rehearsal.host.client import Machine

ROOT: Final = Path(__file__).parents[1]


class NotUpError(Exception):
    """The platform does not run."""


@dataclass(frozen=True)
class Platform:
    """A stack that is up on this machine."""

    address: str
    authority: Path
    machine: Machine

    def processor(self) -> dict[int, float]:
        """Seconds of processor time by process, of all that the platform is made of."""
        spent: dict[int, float] = {}
        for status in self.machine.status().processes:
            if status.pid is None:
                continue
            with contextlib.suppress(psutil.NoSuchProcess):
                leader = psutil.Process(status.pid)
                for process in (leader, *leader.children(recursive=True)):
                    times = process.cpu_times()
                    spent[process.pid] = times.user + times.system
        return spent


def find(stack: str = "local", root: Path = ROOT) -> Platform:
    """The running stack; :class:`NotUpError` when there is none."""
    machine = Machine.find(root / ".rehearsal" / stack)
    if machine is None:
        raise NotUpError(f"the stack {stack} does not run; bring it up with `make up`")
    endpoints = machine.status().endpoints
    address = next((place for place in endpoints.values() if place.startswith("https://")), None)
    if address is None:
        raise NotUpError(f"the stack {stack} serves nothing over https: {endpoints}")
    return Platform(address.rstrip("/"), root / ".rehearsal" / "ca" / "ca.pem", machine)


def used(before: dict[int, float], after: dict[int, float]) -> float:
    """Seconds of processor time between two looks; of what ended in between, nothing is known."""
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())
