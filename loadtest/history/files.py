"""The files of histories: one for each machine class, one JSON line for each run.

Lines are only appended, so that git can merge two histories as their union (`merge=union` in
`.gitattributes`); the order is that of their dates, not that of the lines.
"""

from __future__ import annotations

import fcntl
import os
import re
from errno import ENOSPC
from pathlib import Path

import msgspec

from loadtest.history.entry import FORMAT, Entry

_DECODER = msgspec.json.Decoder(Entry)


class HistoryError(Exception):
    """A history cannot be read or written; `problems` has one text for each cause, with file and line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def path_of(folder: Path, machine: str) -> Path:
    """The file of a machine class."""
    return folder / f"{re.sub('[^a-z0-9]+', '-', machine.lower()).strip('-')}.jsonl"


def append(folder: Path, entry: Entry) -> Path:
    """Append a run to the history of its machine class and return the file.

    Appends of several processes do not mix. If the line cannot be written as a whole, nothing is: raises
    OSError. A last line that was cut off stays on a line of its own, where it is found on reading.
    """
    path = path_of(folder, entry.machine)
    folder.mkdir(parents=True, exist_ok=True)
    line = msgspec.json.encode(entry) + b"\n"
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        try:
            if os.write(descriptor, line) < len(line):
                raise OSError(ENOSPC, os.strerror(ENOSPC), str(path))
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    return path


def read(folder: Path) -> list[Entry]:
    """Return all runs of all machine classes by date; equal lines count once.

    Raises HistoryError with every line that cannot be read.
    """
    entries: dict[bytes, Entry] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.jsonl")):
        try:
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
            continue
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                entries[line.strip()] = _entry(line)
            except ValueError as error:
                problems.append(f"{path}:{number}: {error}")
    if problems:
        raise HistoryError(problems)
    return sorted(entries.values(), key=lambda entry: entry.date)


def _entry(line: bytes) -> Entry:
    """Decode a run. Raises ValueError with the problem and the remedy."""
    if line.startswith((b"<<<<<<<", b"=======", b">>>>>>>", b"|||||||")):
        raise ValueError("an unresolved merge conflict; keep the lines of both sides and remove this one")
    try:
        entry = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a recorded run ({error}); remove the line") from error
    if entry.format > FORMAT:
        raise ValueError(f"format {entry.format} is newer than {FORMAT}, which this version reads; update it")
    if entry.date.tzinfo is None:
        raise ValueError("the date has no time zone; add one, such as Z")
    return entry
