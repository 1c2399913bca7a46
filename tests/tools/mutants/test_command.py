"""`python -m tools.mutants`: the killed ratio of a sample and its exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tools.mutants import areas, command
from tools.mutants.command import main
from tools.mutants.conditions import Mutant
from tools.mutants.evaluation import BrokenTestsError
from tools.mutants.results import MutantOutcome


class FakeRunner:
    """A runner without a copy."""

    def __enter__(self) -> FakeRunner:
        return self

    def __exit__(self, *_: object) -> None: ...


class FakeTesting:
    """Kills every mutant except those of one condition."""

    recorded_outcome: MutantOutcome | None = None
    error: BaseException | None = None

    def __init__(self, *_: object) -> None: ...

    def recorded(self, mutant: Mutant) -> MutantOutcome | None:
        return self.recorded_outcome

    def evaluate(self, mutant: Mutant) -> MutantOutcome:
        if self.error is not None:
            raise self.error
        survives = mutant.original == "attempt >= attempts"
        return MutantOutcome(mutant.key, "", "", None if survives else "tests/test_a.py", False, 0.1)


@pytest.fixture(autouse=True)
def _testing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def retry_only(_: Sequence[str]) -> list[str]:
        return ["app/resilience/retry.py"]

    monkeypatch.setattr(command, "Runner", FakeRunner)
    monkeypatch.setattr(command, "MutationTesting", FakeTesting)
    monkeypatch.setattr(command, "RECORDS", tmp_path)
    monkeypatch.setattr(areas, "modules", retry_only)


def test_ratio_below_the_goal_fails_and_names_the_survivors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["breaker", "--sample", "1000", "--goal", "100"]) == 1
    output = capsys.readouterr().out
    assert "app/resilience/retry.py" in output
    assert "attempt >= attempts -> (attempt > attempts)" in output
    assert main(["breaker", "--sample", "1000", "--goal", "50"]) == 0


def test_listed_equivalent_mutants_do_not_count(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    survivors = [item for item in areas.draw([], 1000, 1) if item.original == "attempt >= attempts"]
    monkeypatch.setattr(command, "equivalents", lambda: {item.key: "because" for item in survivors})
    assert main(["breaker", "--sample", "1000", "--goal", "100"]) == 0
    output = capsys.readouterr().out
    assert f"{len(survivors)} equivalent" in output
    assert "(equivalent: because)" in output


def test_recorded_outcomes_are_used_unless_fresh_ones_are_requested(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(FakeTesting, "recorded_outcome", MutantOutcome("", "", "", "tests", False, 0.1))
    arguments = ["breaker", "--sample", "1000", "--goal", "100"]
    assert main(arguments) == 0
    assert "survived" not in capsys.readouterr().out
    assert main([*arguments, "--fresh"]) == 1


def test_mutants_of_broken_tests_are_not_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(FakeTesting, "error", BrokenTestsError("test_f fails without a mutant"))
    assert main(["breaker", "--sample", "1000"]) == 2
    output = capsys.readouterr().out
    assert "app/resilience/retry.py: its mutants were not run: test_f fails without a mutant" in output
    assert "not run" in output


def test_budget_ends_the_run_with_the_rest_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["breaker", "--sample", "5", "--budget", "-1"]) == 2
    assert "5 not run" in capsys.readouterr().out


def test_interrupt_ends_with_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeTesting, "error", KeyboardInterrupt())
    assert main(["breaker", "--sample", "5"]) == 130


def test_list_prints_the_sample_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sample", "3", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
