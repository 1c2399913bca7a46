"""Faults that need no platform: repeated actions end with their block."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from dataclasses import replace
from typing import Any

import psutil
import pytest

from rehearsal.drills.faults import (
    Fault,
    FaultError,
    Platform,
    _repeatedly,
    database_hung,
    redis_hung,
    storage_hung,
)
from rehearsal.host.status import HostStatus, ProcessStatus
from tests.support.projects import wait_for


class FakeMachine:
    """A machine with the given processes."""

    def __init__(self, *processes: ProcessStatus) -> None:
        self._processes = list(processes)

    def status(self) -> HostStatus:
        return HostStatus("local", self._processes)


def process(name: str, *, ready: bool = True) -> ProcessStatus:
    return ProcessStatus(name, "pod", "running", ready, 1, 0, None, 0, 0.0)


def platform(*processes: ProcessStatus) -> Platform:
    machine: Any = FakeMachine(*processes)
    return Platform(machine, random.Random(1))


def test_only_ready_replicas_of_the_role_are_victims() -> None:
    found = platform(
        process("pod/k/api-1/api"), process("pod/k/api-2/api", ready=False), process("pod/k/worker-1/w")
    )
    assert [item.name for item in found.replicas("api")] == ["pod/k/api-1/api"]


def test_without_a_replica_the_error_names_the_role() -> None:
    with pytest.raises(FaultError, match="no replica of api is ready"):
        platform(process("pod/k/worker-1/w")).replicas("api")


def test_a_repeated_action_ends_with_its_block() -> None:
    done = threading.Event()
    with _repeatedly(done.set, 0.01):
        assert done.wait(5)
    done.clear()
    assert not done.wait(0.05)


@pytest.mark.parametrize(
    ("fault", "kind"), [(database_hung, "mongodb"), (redis_hung, "redis"), (storage_hung, "storage")]
)
def test_a_hang_suspends_every_process_of_the_dependency_and_resumes_it(fault: Fault, kind: str) -> None:
    sleeping = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in range(3)]
    names = (f"{kind}/one", f"{kind}/one/proxy", "pod/k/api-1/api")
    machine: Any = FakeMachine(
        *(
            replace(process(name), kind=name.partition("/")[0], pid=each.pid)
            for name, each in zip(names, sleeping, strict=True)
        )
    )

    def stopped() -> list[bool]:
        return [psutil.Process(each.pid).status() == psutil.STATUS_STOPPED for each in sleeping]

    try:
        with fault(Platform(machine, random.Random(1), hang_seconds=0.01)):
            wait_for("both are suspended", lambda: stopped() == [True, True, False])
        wait_for("both are resumed", lambda: not any(stopped()))
    finally:
        for each in sleeping:
            each.kill()
            each.wait()


def test_a_hang_of_a_dependency_that_does_not_run_is_an_error() -> None:
    with pytest.raises(FaultError, match="no process of kind redis runs"), redis_hung(platform()):
        pass
