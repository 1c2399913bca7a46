"""Histories of operations, by the rules of Jepsen (https://github.com/jepsen-io/jepsen).

A client process invokes an operation and completes it as ok (it took effect), fail (it certainly did not) or
info (unknown: a time-out or a cut connection). An info operation may have taken effect: it counts neither as
done nor as lost.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class Completion(StrEnum):
    """How an operation completed."""

    OK = "ok"
    FAIL = "fail"
    INFO = "info"


@dataclass(frozen=True)
class RecordedOperation:
    """One operation of one client process.

    `function` names it (`create`, `list`), `value` is its argument, `result` what an ok operation returned.
    Times are seconds of a monotonic clock. `status` is the HTTP status, None without a response.
    """

    process: int
    function: str
    value: Any
    invoked: float
    completed: float
    outcome: Completion
    result: Any = None
    status: int | None = None

    @property
    def seconds(self) -> float:
        """Return the duration in seconds."""
        return self.completed - self.invoked


class History:
    """Operations in the order in which they completed; safe for many threads."""

    def __init__(self, operations: Iterable[RecordedOperation] = ()) -> None:
        self._operations = list(operations)
        self._lock = threading.Lock()

    def add(self, operation: RecordedOperation) -> None:
        """Append a completed operation."""
        with self._lock:
            self._operations.append(operation)

    def __iter__(self) -> Iterator[RecordedOperation]:
        with self._lock:
            return iter(list(self._operations))

    def __len__(self) -> int:
        return len(self._operations)

    def of(self, *functions: str) -> list[RecordedOperation]:
        """Return the operations with these functions, by the time of their invocation."""
        return sorted((o for o in self if o.function in functions), key=lambda o: o.invoked)

    def write(self, path: Path) -> None:
        """Write one JSON object per line."""
        path.write_text("".join(json.dumps(asdict(operation)) + "\n" for operation in self))

    @classmethod
    def read(cls, path: Path) -> History:
        """Read a history written by `write`."""
        rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            row["outcome"] = Completion(row["outcome"])
        return cls(RecordedOperation(**row) for row in rows)
