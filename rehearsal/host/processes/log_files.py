"""Logs of processes: appended to by the process itself, cut by the supervisor, read by `kingdom logs`."""

from __future__ import annotations

import os
import shutil
from collections import deque
from pathlib import Path

MAX_BYTES = 8 * 1024 * 1024
# Logs of ended pods are retained for diagnosis; the newest of them.
_MAX_ENDED = 20


def rotate(path: Path, max_bytes: int = MAX_BYTES) -> None:
    """Move what is in a log that has grown beyond `max_bytes` to `<path>.1`.

    The process keeps its descriptor (it may be older than this supervisor), so the file is copied and then
    cut. It is open for appending, so the next line starts at the new end. Lines written between copy and
    cut are lost, as with logrotate's copytruncate.
    """
    try:
        if path.stat().st_size <= max_bytes:
            return
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        os.truncate(path, 0)
    except OSError:
        return  # a full disk: the next round tries again


def tail(path: Path, lines: int) -> list[str]:
    """The last `lines` lines, reading at most a megabyte; [] when there is no such file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1_000_000))
            found = deque(file.read().decode(errors="replace").splitlines(), maxlen=lines)
    except OSError:
        return []
    return list(found)


def forget_dead(folder: Path, alive: set[Path]) -> None:
    """Delete logs of ended pods, except the newest."""
    dead = [path for path in folder.glob("pod_*.log") if path not in alive]
    dead.sort(key=lambda path: path.stat().st_mtime if path.exists() else 0.0, reverse=True)
    for path in dead[_MAX_ENDED:]:
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}.1").unlink(missing_ok=True)
