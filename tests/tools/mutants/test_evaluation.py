"""Evaluation of a mutant: stages of its tests, records, and the test that killed it before."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from tools.mutants import areas, evaluation
from tools.mutants.conditions import Mutant, mutants_of
from tools.mutants.evaluation import BrokenTestsError, MutationTesting
from tools.mutants.results import Records
from tools.mutants.runner import Runner, TestRun

MODULE = "app/sized.py"
MIRRORED = "tests/app/test_sized.py"
OTHER = "tests/app/test_shop.py"


class FakeRunner:
    """A runner whose tests fail as `failing` states, by test file or test."""

    def __init__(self, copy: Path) -> None:
        self.copy = copy
        self.failing: dict[str, str] = {}  # the failing test by test file or test, with a mutant
        self.broken = ""  # a file that fails without a mutant
        self.calls: list[list[str]] = []

    def collect(self, tests: Sequence[str]) -> TestRun:
        return TestRun()

    def preload(self, modules: Sequence[str]) -> None: ...

    def run(
        self,
        tests: Sequence[str],
        *,
        mutant: Mutant | None = None,
        durations: Mapping[str, float] | None = None,
        collection: float | None = None,
    ) -> TestRun:
        if mutant is None:
            failed = tests[0] if tests[0] == self.broken else None
            return TestRun(failed, durations={f"{file}::test_f": 0.1 for file in tests})
        self.calls.append([*tests])
        return TestRun(next((self.failing[test] for test in tests if test in self.failing), None))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for file, text in ((MODULE, "x = 1 < 2\n"), (MIRRORED, ""), (OTHER, "")):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    for module in (areas, evaluation):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def runner(root: Path) -> FakeRunner:
    return FakeRunner(root)


@pytest.fixture
def testing(root: Path, runner: FakeRunner) -> MutationTesting:
    return MutationTesting(cast(Runner, cast(Any, runner)), Records(root / "records"), root)


@pytest.fixture
def mutant(root: Path) -> Mutant:
    return next(mutants_of(MODULE, (root / MODULE).read_text()))


def test_other_tests_of_the_folder_run_after_the_mirrored_test_passes(
    testing: MutationTesting, runner: FakeRunner, mutant: Mutant
) -> None:
    assert testing.evaluate(mutant).killed_by is None
    assert runner.calls == [[MIRRORED], [OTHER]]


def test_first_failure_ends_the_evaluation(
    testing: MutationTesting, runner: FakeRunner, mutant: Mutant
) -> None:
    runner.failing[MIRRORED] = f"{MIRRORED}::test_f"
    assert testing.evaluate(mutant).killed_by == f"{MIRRORED}::test_f"
    assert runner.calls == [[MIRRORED]]


def test_test_that_killed_the_mutant_before_runs_first(
    testing: MutationTesting, runner: FakeRunner, mutant: Mutant
) -> None:
    killing = f"{OTHER}::test_f"
    runner.failing = {OTHER: killing, killing: killing}
    testing.evaluate(mutant)
    runner.calls.clear()
    assert testing.evaluate(mutant).killed_by == killing
    assert runner.calls == [[killing]]
    runner.failing.clear()
    assert testing.evaluate(mutant).killed_by is None
    assert runner.calls == [[killing], [killing], [MIRRORED], [OTHER]]


def test_recorded_kill_depends_on_the_module_and_the_killing_test(
    testing: MutationTesting, runner: FakeRunner, mutant: Mutant, root: Path
) -> None:
    assert testing.recorded(mutant) is None
    runner.failing[MIRRORED] = f"{MIRRORED}::test_f"
    outcome = testing.evaluate(mutant)
    assert testing.recorded(mutant) == outcome
    (root / OTHER).write_text("# changed")
    assert testing.recorded(mutant) == outcome
    (root / MIRRORED).write_text("# changed")
    assert testing.recorded(mutant) is None
    (root / MIRRORED).write_text("")
    (root / MODULE).write_text("x = 1 < 2\ny = 1\n")
    assert testing.recorded(mutant) is None


def test_recorded_survivor_depends_on_all_tests_of_the_folder(
    testing: MutationTesting, mutant: Mutant, root: Path
) -> None:
    outcome = testing.evaluate(mutant)
    assert testing.recorded(mutant) == outcome
    (root / OTHER).write_text("# changed")
    assert testing.recorded(mutant) is None


def test_record_refers_to_the_files_that_ran(
    testing: MutationTesting, runner: FakeRunner, mutant: Mutant, root: Path, tmp_path_factory: Any
) -> None:
    runner.copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(root, runner.copy, dirs_exist_ok=True)
    (root / MIRRORED).write_text("# changed during the run")
    testing.evaluate(mutant)
    assert testing.recorded(mutant) is None


def test_tests_that_fail_without_a_mutant_are_an_error(
    testing: MutationTesting, runner: FakeRunner, mutant: Mutant
) -> None:
    runner.broken = OTHER
    with pytest.raises(BrokenTestsError, match="test_shop"):
        testing.evaluate(mutant)
