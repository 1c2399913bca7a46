"""Records of mutation testing: appended, read again, and bound to the state of the files."""

from __future__ import annotations

from pathlib import Path

from tools.mutants.conditions import Mutant
from tools.mutants.results import Baseline, MutantOutcome, Records, digest

MUTANT = Mutant("a.py", 1, 0, 5, "x < y", "(x <= y)", "f")


def outcome(killed_by: str | None) -> MutantOutcome:
    return MutantOutcome(MUTANT.key, "source", "tests", killed_by, False, 0.5)


def test_last_outcome_of_a_mutant_counts(tmp_path: Path) -> None:
    records = Records(tmp_path / "new")
    assert records.outcome(MUTANT) is None
    records.add(outcome(None))
    records.add(outcome("tests/test_a.py::test_f"))
    for found in (records, Records(tmp_path / "new")):
        assert found.outcome(MUTANT) == outcome("tests/test_a.py::test_f")


def test_baseline_of_another_state_is_not_used(tmp_path: Path) -> None:
    baseline = Baseline("tests/test_a.py", "now", 0.1, {"tests/test_a.py::test_f": 0.2})
    Records(tmp_path).add(baseline)
    assert Records(tmp_path).baseline("tests/test_a.py", "now") == baseline
    assert Records(tmp_path).baseline("tests/test_a.py", "later") is None
    assert Records(tmp_path).baseline("tests/test_b.py", "now") is None


def test_incomplete_last_line_is_ignored(tmp_path: Path) -> None:
    Records(tmp_path).add(outcome("tests/test_a.py::test_f"))
    with (tmp_path / "outcomes.jsonl").open("a") as file:
        file.write('{"key": "b')
    assert Records(tmp_path).outcome(MUTANT) == outcome("tests/test_a.py::test_f")


def test_digest_depends_on_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("1")
    both = digest(tmp_path, ["a", "b"])
    assert both == digest(tmp_path, ["b", "a"])
    assert digest(tmp_path, ["a"]) != digest(tmp_path, ["b"])
    (tmp_path / "b").write_text("2")
    assert digest(tmp_path, ["a", "b"]) != both
