"""Evaluate a mutant: use its recorded outcome, or run its tests in stages."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.mutants.areas import ROOT, suites_of
from tools.mutants.conditions import Mutant
from tools.mutants.results import Baseline, MutantOutcome, Records, digest
from tools.mutants.runner import COPIED, Runner, TestRun


class BrokenTestsError(Exception):
    """Tests fail without a mutant, so that they would kill every mutant."""


@dataclass(frozen=True, slots=True)
class _Stage:
    """Measured seconds of test files without a mutant: of the collection and of each test."""

    collection: float
    durations: Mapping[str, float]


class MutationTesting:
    """Evaluates mutants with a runner and records the outcomes.

    Digests of new outcomes are of the files in the runner's copy, since those in `root` may have changed.
    """

    def __init__(self, runner: Runner, records: Records, root: Path = ROOT) -> None:
        self._runner = runner
        self._records = records
        self._root = root
        self._sources = digest(runner.copy, _sources(runner.copy))
        self._preloaded: set[str] = set()
        self._stages: dict[tuple[str, ...], _Stage] = {}

    def recorded(self, mutant: Mutant) -> MutantOutcome | None:
        """The recorded outcome, if neither the module nor the tests it depends on changed since."""
        found = self._records.outcome(mutant)
        if found is None or found.source != digest(self._root, [mutant.path]):
            return None
        return found if found.tests == _tests_digest(self._root, mutant, found.killed_by) else None

    def evaluate(self, mutant: Mutant) -> MutantOutcome:
        """Run the tests of a mutant and record the outcome. Raises BrokenTestsError and TestRunError."""
        self._preload(mutant.path)
        began = time.monotonic()
        run = self._again(mutant)
        for files in suites_of(mutant.path):
            if run.failed is None:
                run = self._run(mutant, files, self._stage(tuple(files)))
        outcome = MutantOutcome(
            mutant.key,
            digest(self._runner.copy, [mutant.path]),
            _tests_digest(self._runner.copy, mutant, run.failed),
            run.failed,
            run.timed_out,
            round(time.monotonic() - began, 2),
        )
        self._records.add(outcome)
        return outcome

    def _again(self, mutant: Mutant) -> TestRun:
        """Run only the test that killed the mutant before, if it still exists."""
        previous = self._records.outcome(mutant)
        test = previous.killed_by if previous is not None else None
        file = (test or "").partition("::")[0]
        if test is not None and any(file in files for files in suites_of(mutant.path)):
            stage = self._stage((file,))
            if test == file or test in stage.durations:
                return self._run(mutant, [test], stage)
        return TestRun()

    def _run(self, mutant: Mutant, tests: Sequence[str], stage: _Stage) -> TestRun:
        durations, collection = stage.durations, stage.collection
        return self._runner.run(tests, mutant=mutant, durations=durations, collection=collection)

    def _preload(self, path: str) -> None:
        """Import the third-party modules that the tests of a module's folder import, once per folder."""
        files = sorted(file for stage in suites_of(path) for file in stage)
        folder = Path(files[0]).parent.as_posix()
        if folder not in self._preloaded:
            run = self._runner.collect(files)
            if run.failed is not None:
                raise BrokenTestsError(f"{run.failed} cannot be collected without a mutant")
            self._runner.preload(run.modules)
            self._preloaded.add(folder)

    def _stage(self, files: tuple[str, ...]) -> _Stage:
        """Return the measured seconds of test files, from records where possible. Raises BrokenTestsError."""
        if files not in self._stages:
            baselines = [self._baseline(file) for file in files]
            durations = {test: seconds for item in baselines for test, seconds in item.durations.items()}
            self._stages[files] = _Stage(sum(item.collection for item in baselines), durations)
        return self._stages[files]

    def _baseline(self, file: str) -> Baseline:
        state = f"{self._sources} {digest(self._runner.copy, [file])}"
        found = self._records.baseline(file, state)
        if found is None:
            run = self._runner.run([file])
            if run.failed is not None:
                raise BrokenTestsError(f"{run.failed} fails without a mutant")
            found = Baseline(file, state, run.collection, run.durations)
            self._records.add(found)
        return found


def _tests_digest(root: Path, mutant: Mutant, killed_by: str | None) -> str:
    """Return the digest of the test file that killed a mutant, or of all its test files if it survived."""
    files = [file for stage in suites_of(mutant.path) for file in stage]
    killing = (killed_by or "").partition("::")[0]
    return digest(root, [killing] if killing in files else files)


def _sources(root: Path) -> list[str]:
    """Return the files that the duration of a test may depend on: all copied ones except tests and tools."""
    files = (
        file
        for name in COPIED
        if name != "tools"
        for file in ([root / name] if (root / name).is_file() else (root / name).rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts and not file.name.startswith("test_")
    )
    return [file.relative_to(root).as_posix() for file in files]
