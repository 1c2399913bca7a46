"""Processes of a host are found and ended by the marks in their environment, and no others are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from rehearsal.host.processes.orphans import INSTANCE_MARK, ROOT_MARK, end, leaders, marked
from tests.support.projects import wait_for

# A process that starts a child with the same environment and prints its PID.
PARENT = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "print(0, flush=True); import signal; signal.pause()"],
                         stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
signal.pause()
"""
Start = Callable[..., tuple[int, int]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process with these marks and a child; returns the PIDs of both."""
    started: list[Any] = []

    def run(root: Path | str, instance: str | None, *, leader: bool = True) -> tuple[int, int]:
        marks = {ROOT_MARK: str(root)} | ({} if instance is None else {INSTANCE_MARK: instance})
        process = subprocess.Popen(
            [sys.executable, "-c", PARENT],
            stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"], **marks}, start_new_session=leader,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        child = int(process.stdout.readline())
        started.append(psutil.Process(child))
        return process.pid, child

    yield run
    for process in started:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    for process in started:
        # Children of a killed process are reaped by another one.
        if isinstance(process, subprocess.Popen):
            process.communicate()


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_marked_processes_are_those_of_this_root_only(start: Start, tmp_path: Path) -> None:
    one = start(tmp_path, "a")
    unnamed = start(tmp_path, None)
    # A root whose path begins with this one's is another host.
    other = start(f"{tmp_path}-2", "a")
    assert dict(marked(tmp_path)) == dict.fromkeys(one, "a") | dict.fromkeys(unnamed, "")
    assert dict(marked(Path(f"{tmp_path}-2"))) == dict.fromkeys(other, "a")


def test_leaders_are_the_processes_that_the_supervisor_started(start: Start, tmp_path: Path) -> None:
    leader, _ = start(tmp_path, "a")
    start(tmp_path, "b", leader=False)
    start(tmp_path, None)
    assert leaders(tmp_path) == {"a": leader}


def test_end_kills_marked_processes_with_their_children(start: Start, tmp_path: Path) -> None:
    one, two = start(tmp_path, "a"), start(tmp_path, "b")
    unnamed, other = start(tmp_path, None), start(tmp_path / "other", "a")
    assert end(tmp_path, spare=frozenset({"b"})) == sorted([*one, *unnamed])
    # A signal is delivered when the process next runs.
    wait_for("all have ended", lambda: all(ended(pid) for pid in (*one, *unnamed)), 10)
    assert not any(ended(pid) for pid in (*two, *other))


def test_end_of_one_instance_spares_all_others(start: Start, tmp_path: Path) -> None:
    one, two, unnamed = start(tmp_path, "a"), start(tmp_path, "b"), start(tmp_path, None)
    assert end(tmp_path, only="a") == sorted(one)
    assert not any(ended(pid) for pid in (*two, *unnamed))
    assert end(tmp_path, only="c") == []


def test_a_process_never_ends_itself(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rehearsal.host.processes.orphans import end; "
        "print(end(Path(sys.argv[1])))"
    )
    marks = {ROOT_MARK: str(tmp_path), INSTANCE_MARK: "a"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={"PATH": os.environ["PATH"], **marks}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
