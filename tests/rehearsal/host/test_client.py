"""The client starts the supervisor, also while an earlier one still stops its processes."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from rehearsal.host.client import Machine
from rehearsal.host.options import MachineOptions
from rehearsal.host.paths import Home
from tests.support.backends import free_port, wait_for


def supervisors() -> list[psutil.Process]:
    """The supervisors that this process started and that run."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if "rehearsal.host.supervisor" in child.cmdline():
                found.append(child)
    return found


@contextmanager
def stopping_supervisor(home: Home) -> Iterator[None]:
    """Hold the supervisor's lock until another supervisor was started and failed to acquire it."""
    home.make()
    descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    def release() -> None:
        # The child cannot acquire the lock and exits.
        wait_for("a supervisor is started", lambda: bool(supervisors()))
        wait_for("it has exited", lambda: not supervisors())
        os.close(descriptor)

    thread = threading.Thread(target=release)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_a_supervisor_is_started_after_the_one_that_stops(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with stopping_supervisor(home):
        machine = Machine.ensure(tmp_path, "local", MachineOptions(edge_port=free_port()), tmp_path)
    try:
        assert machine.status().stack == "local"
    finally:
        machine.stop()
