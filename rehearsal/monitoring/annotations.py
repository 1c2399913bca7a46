"""Annotations that other commands write for the recorder: drills and load runs, drawn as bands on plots."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rehearsal.monitoring.store import Event

FILE: Final = "annotations.jsonl"
_MAX_BYTES: Final = 1024 * 1024


def monitoring_folder(state: Path) -> Path:
    """Return the folder of the monitoring files below a stack's `.rehearsal/<stack>`."""
    return state / "monitoring"


@contextmanager
def annotated(state: Path, kind: str, title: str, detail: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Annotate the time of the block as a band of `kind`, such as `drill` or `load`."""
    started = time.time()
    _append(state, Event(started, kind, title, detail or {}))
    try:
        yield
    finally:
        _append(state, Event(started, kind, title, detail or {}, time.time()))


def read_annotations(path: Path) -> list[Event]:
    """Read and remove the annotations in a file; [] without one. An incomplete line is ignored."""
    try:
        taken = path.with_suffix(".taken")
        path.replace(taken)
        lines = taken.read_text().splitlines()
        taken.unlink()
    except OSError:
        return []
    events = []
    for line in lines:
        try:
            events.append(Event(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return events


def _append(state: Path, event: Event) -> None:
    folder = monitoring_folder(state)
    if not folder.is_dir():
        return  # no recorder runs for this platform
    path = folder / FILE
    if path.is_file() and path.stat().st_size > _MAX_BYTES:
        return
    with path.open("a") as file:
        file.write(json.dumps(event.to_json()) + "\n")
