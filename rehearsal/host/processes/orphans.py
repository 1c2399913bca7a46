"""Find the processes of a host by the marks in their environment."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

ROOT_MARK = "KINGDOM_REHEARSAL"
INSTANCE_MARK = "KINGDOM_INSTANCE"


def marked(root: Path) -> Iterator[tuple[int, str]]:
    """Yield (pid, instance) of every running process that belongs to the host at `root`."""
    wanted = f"{ROOT_MARK}={root}".encode()
    if sys.platform == "linux":
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if wanted in variables:
                prefix = f"{INSTANCE_MARK}=".encode()
                instance = next((item for item in variables if item.startswith(prefix)), prefix)
                yield int(entry.name), instance[len(prefix) :].decode(errors="replace")
        return
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            own = process.environ()
            if own.get(ROOT_MARK) == str(root):
                yield process.pid, own.get(INSTANCE_MARK, "")


def leaders(root: Path) -> dict[str, int]:
    """Return the PID of the leader of each instance: the process started by the supervisor."""
    found: dict[str, int] = {}
    for pid, instance in marked(root):
        try:
            if instance and os.getsid(pid) == pid:
                found[instance] = pid
        except OSError:
            continue
    return found


def end(root: Path, *, spare: frozenset[str] = frozenset(), only: str | None = None) -> list[int]:
    """Kill marked processes, except instances in `spare`; with `only`, kill that instance only.

    Searches repeatedly, because a process may start another one while it is being killed.
    """
    ended: list[int] = []
    for _ in range(2):
        for pid, instance in list(marked(root)):
            if instance in spare or (only is not None and instance != only) or pid == os.getpid():
                continue
            try:
                os.kill(pid, signal.SIGKILL)
                ended.append(pid)
            except OSError:
                continue
    return sorted(set(ended))
