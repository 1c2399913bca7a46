"""Process logs: appended to by the process, rotated by the supervisor, read by `kingdom logs`."""

from __future__ import annotations

import os
import shutil
from collections import deque
from pathlib import Path

MAX_BYTES = 8 * 1024 * 1024
# Number of logs of terminated pods to retain for diagnosis.
_MAX_ENDED = 20


def rotate(path: Path, max_bytes: int = MAX_BYTES) -> None:
    """Rotate a log larger than `max_bytes` to `<path>.1`.

    The process holds an open descriptor, so the file is copied and truncated, as by logrotate's copytruncate.
    Lines written between copy and truncation are lost.
    """
    try:
        if path.stat().st_size <= max_bytes:
            return
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        os.truncate(path, 0)
    except OSError:
        return  # disk full: the next round retries


def tail(path: Path, lines: int) -> list[str]:
    """Return the last `lines` lines, reading at most 1 MiB; [] if the file does not exist."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1_000_000))
            found = deque(file.read().decode(errors="replace").splitlines(), maxlen=lines)
    except OSError:
        return []
    return list(found)


def delete_old_logs(folder: Path, alive: set[Path]) -> None:
    """Delete the logs of terminated pods, except the newest."""
    dead = [path for path in folder.glob("pod_*.log") if path not in alive]
    dead.sort(key=lambda path: path.stat().st_mtime if path.exists() else 0.0, reverse=True)
    for path in dead[_MAX_ENDED:]:
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}.1").unlink(missing_ok=True)
