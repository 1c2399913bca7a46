"""Journal of a running operation: one line of JSON per atomic change, which is a list of entries."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from rehearsal.engine.state.resource_records import Entry, Kind
from rehearsal.engine.state.resource_state import ResourceState, from_json, to_json
from rehearsal.engine.state.secrets import Crypter
from rehearsal.errors import StateError


def unwritable(path: Path, error: OSError) -> StateError:
    """Create the error for a state file that cannot be written."""
    return StateError(
        f"{path} cannot be written: {error.strerror}",
        remedy="Free disk space or make the folder writable; earlier records are complete.",
    )


class Journal:
    """Appends entries durably. Thread-safe; concurrent writers share fsyncs.

    A failed write raises StateError and leaves the file as it was.
    """

    def __init__(self, path: Path, crypter: Crypter) -> None:
        self._path = path
        self._crypter = crypter
        self._queue: queue.SimpleQueue[tuple[bytes, Future[None]] | None] = queue.SimpleQueue()
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise unwritable(path, error) from None
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def append(self, *entries: Entry) -> None:
        """Append `entries` atomically: after a crash the file has all of them or none."""
        line = json.dumps([entry_to_json(entry, self._crypter) for entry in entries], separators=(",", ":"))
        written: Future[None] = Future()
        self._queue.put((line.encode() + b"\n", written))
        written.result()

    def _write(self) -> None:
        last = False
        while not last:
            first = self._queue.get()
            if first is None:
                return
            batch = [first]
            while not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    last = True
                    break
                batch.append(more)
            try:
                self._append(b"".join(line for line, _ in batch))
            except OSError as error:
                for _, written in batch:
                    written.set_exception(unwritable(self._path, error))
            else:
                for _, written in batch:
                    written.set_result(None)

    def _append(self, data: bytes) -> None:
        whole = os.fstat(self._file).st_size
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError:
            with contextlib.suppress(OSError):  # else the next operation truncates the partial line
                os.ftruncate(self._file, whole)
            raise

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        os.close(self._file)


class NoJournal(Journal):
    """The journal of a temporary state, which is not used after a crash: nothing is written."""

    def __init__(self) -> None: ...

    def append(self, *entries: Entry) -> None: ...

    def close(self) -> None: ...


def entry_to_json(entry: Entry, crypter: Crypter) -> dict[str, Any]:
    brief = entry.kind in (Kind.DROP, Kind.END)
    data: dict[str, Any] = {
        "op": entry.kind.value,
        "resource": _key_json(entry.resource) if brief else to_json(entry.resource, crypter),
    }
    if entry.operation:
        data["pending"] = entry.operation
    if entry.old:
        data["old"] = entry.old
    return data


def entry_from_json(data: Mapping[str, Any], crypter: Crypter | None) -> Entry:
    """The inverse of :func:`entry_to_json`. Raises KeyError, TypeError or ValueError if malformed."""
    return Entry(
        kind=Kind(data["op"]),
        resource=from_json(data["resource"], crypter),
        operation=str(data.get("pending", "")),
        old=str(data.get("old", "")),
    )


def _key_json(resource: ResourceState) -> dict[str, Any]:
    data: dict[str, Any] = {"urn": resource.urn, "type": resource.type, "custom": resource.custom}
    if resource.id:
        data["id"] = resource.id
    if resource.delete:
        data["delete"] = True
    return data
