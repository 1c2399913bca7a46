"""Read and follow process logs for `kingdom logs`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rehearsal.errors import InputError
from rehearsal.host.processes.log_files import tail

_LOOK_SECONDS = 0.25


def follow_logs(folder: Path, name: str | None, lines: int, follow: bool) -> Iterator[str]:
    """Yield lines as `<log> | <text>`: the last `lines` of each log, then (`follow`) new lines.

    Raises InputError if no log name contains `name`.
    """
    at: dict[Path, int] = {}
    paths = _matching(folder, name)
    if not paths and name is not None:
        raise InputError(
            f"no log has {name!r} in its name",
            details=[path.stem for path in _matching(folder, None)],
            remedy="These are the logs; a part of a name is enough.",
        )
    for path in paths:
        with suppress(OSError):
            at[path] = path.stat().st_size
        for line in tail(path, lines):
            yield f"{path.stem} | {line}"
    while follow:
        time.sleep(_LOOK_SECONDS)
        for path in _matching(folder, name):
            with suppress(OSError):
                yield from _new_lines(path, at)


def _matching(folder: Path, name: str | None) -> list[Path]:
    wanted = (name or "").replace("/", "_")
    return sorted(path for path in folder.glob("*.log") if wanted in path.stem)


def _new_lines(path: Path, at: dict[Path, int]) -> Iterator[str]:
    size = path.stat().st_size
    start = at.get(path, 0)
    if size < start:
        start = 0  # the log was truncated
    with path.open("rb") as file:
        file.seek(start)
        content = file.read(size - start)
    whole, newline, _ = content.rpartition(b"\n")
    at[path] = start + len(whole) + len(newline)
    for line in whole.decode(errors="replace").splitlines():
        yield f"{path.stem} | {line}"
