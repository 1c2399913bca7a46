"""The grant runs beside a replica of `api`, and fails without one."""

from __future__ import annotations

from pathlib import Path

from rehearsal.host.administrator import grant_administrator
from rehearsal.host.client import Machine
from rehearsal.host.paths import Home
from rehearsal.host.status import HostStatus, ProcessStatus


class _Machine(Machine):
    """A machine with given processes."""

    def __init__(self, folder: Path, processes: list[ProcessStatus]) -> None:
        super().__init__(Home(folder))
        self._processes = processes

    def status(self) -> HostStatus:
        return HostStatus("local", self._processes)


def process(name: str, pid: int | None, kind: str = "pod") -> ProcessStatus:
    return ProcessStatus(name, kind, "running", True, pid, 0, None, 0, 0.0)


def test_without_a_running_replica_of_api_nothing_is_granted(tmp_path: Path) -> None:
    others = [
        process("kingdom/worker-1a-2b", 1),
        process("kingdom/api-1a-2b", None),
        process("redis", 1, "redis"),
    ]
    assert not grant_administrator(_Machine(tmp_path, others), tmp_path, "ada@example.com")


def test_a_replica_that_ended_meanwhile_is_skipped(tmp_path: Path) -> None:
    ended = [process("kingdom/api-1a-2b", 2**22 + 1)]
    assert not grant_administrator(_Machine(tmp_path, ended), tmp_path, "ada@example.com")
