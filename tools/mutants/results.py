"""Recorded outcomes of mutants and baselines of tests, so that an interrupted run can be continued.

One JSON object per line in `.rehearsal/mutants/`, appended as soon as it is known. The last line of a key
counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tools.mutants.conditions import Mutant

_OUTCOMES: Final = "outcomes.jsonl"
_BASELINES: Final = "baselines.jsonl"


@dataclass(frozen=True, slots=True)
class MutantOutcome:
    """Outcome of one mutant.

    `killed_by` is the test that failed or exceeded its time limit; None if the mutant survived. `source` and
    `tests` are digests of the module and of the test files the outcome depends on.
    """

    key: str
    source: str
    tests: str
    killed_by: str | None
    timed_out: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Baseline:
    """Seconds of a test file without a mutant, for the collection and each test; a digest of the sources."""

    file: str
    digest: str
    collection: float
    durations: Mapping[str, float]


class Records:
    """Outcomes and baselines in a folder, which is created when needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._outcomes = {item["key"]: MutantOutcome(**item) for item in self._lines(_OUTCOMES)}
        self._baselines = {item["file"]: Baseline(**item) for item in self._lines(_BASELINES)}

    def outcome(self, mutant: Mutant) -> MutantOutcome | None:
        """Return the last recorded outcome of a mutant, even if sources or tests changed since."""
        return self._outcomes.get(mutant.key)

    def baseline(self, file: str, digest: str) -> Baseline | None:
        """Return the baseline of a test file; None if the file or a source changed since."""
        found = self._baselines.get(file)
        return found if found is not None and found.digest == digest else None

    def add(self, item: MutantOutcome | Baseline) -> None:
        """Append an outcome or a baseline."""
        if isinstance(item, Baseline):
            self._baselines[item.file] = item
        else:
            self._outcomes[item.key] = item
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._file(_BASELINES if isinstance(item, Baseline) else _OUTCOMES).open("a") as file:
            file.write(json.dumps(asdict(item)) + "\n")

    def _file(self, name: str) -> Path:
        return self._folder / name

    def _lines(self, name: str) -> list[dict[str, Any]]:
        file = self._file(name)
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        # The last line may be incomplete after a power failure.
        return [json.loads(line) for line in lines if line.endswith("\n")]


def digest(root: Path, files: Iterable[str]) -> str:
    """Return a digest of the names and contents of files, relative to `root`."""
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(files):
        found.update(f"{name}\0".encode())
        found.update(hashlib.blake2b((root / name).read_bytes()).digest())
    return found.hexdigest()
