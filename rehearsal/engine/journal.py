"""The journal of a running operation: one line of JSON for each thing that happened."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TextIO

from rehearsal.engine.secrets import Crypter
from rehearsal.engine.state import ResourceState, to_json
from rehearsal.errors import StateError


def unwritable(path: Path, error: OSError) -> StateError:
    """The error for state that cannot be put on the disk."""
    return StateError(
        f"{path} cannot be written: {error.strerror}",
        remedy="Free room on the disk or make the folder writable; what was recorded before is whole.",
    )


class Journal:
    """Appends what happens and returns when it is on the disk. Thread-safe; writers share their fsyncs."""

    def __init__(self, file: TextIO, crypter: Crypter) -> None:
        self._file = file
        self._crypter = crypter
        self._queue: queue.SimpleQueue[tuple[str, Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def begin(self, operation: str, resource: ResourceState) -> None:
        self._append({"op": "begin", "pending": operation, "resource": to_json(resource, self._crypter)})

    def end(self, operation: str, resource: ResourceState) -> None:
        self._append({"op": "end", "pending": operation, "resource": _key_json(resource)})

    def put(self, resource: ResourceState, *, ends: str = "", also: ResourceState | None = None) -> None:
        """Records `resource` as it now is, in one stroke with `also` and the end of the operation `ends`."""
        entries = [
            {"op": "put", "resource": to_json(item, self._crypter)} for item in (resource, also) if item
        ]
        if ends:
            entries.append({"op": "end", "pending": ends, "resource": _key_json(resource)})
        self._append(*entries)

    def drop(self, resource: ResourceState, *, ends: str = "") -> None:
        entries = [{"op": "drop", "resource": _key_json(resource)}]
        if ends:
            entries.append({"op": "end", "pending": ends, "resource": _key_json(resource)})
        self._append(*entries)

    def _append(self, *entries: Mapping[str, Any]) -> None:
        text = "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries)
        written: Future[None] = Future()
        self._queue.put((text, written))
        written.result()

    def _write(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            last = False
            while not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    last = True
                    break
                batch.append(more)
            try:
                self._file.write("".join(text for text, _ in batch))
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                failure = unwritable(Path(self._file.name), error)
                for _, written in batch:
                    written.set_exception(failure)
            else:
                for _, written in batch:
                    written.set_result(None)
            if last:
                return

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._file.close()


def _key_json(resource: ResourceState) -> dict[str, Any]:
    data: dict[str, Any] = {"urn": resource.urn, "type": resource.type, "custom": resource.custom}
    if resource.id:
        data["id"] = resource.id
    if resource.delete:
        data["delete"] = True
    return data
