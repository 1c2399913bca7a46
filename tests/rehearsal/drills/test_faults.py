"""Faults that need no platform: repeated actions end with their block."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from rehearsal.drills.faults import FaultError, Platform, _repeatedly
from rehearsal.host.status import HostStatus, ProcessStatus


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
