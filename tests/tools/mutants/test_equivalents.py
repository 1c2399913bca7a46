"""Equivalent mutants: each listed one exists and has a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.mutants import equivalents as module
from tools.mutants.areas import ROOT, modules
from tools.mutants.conditions import mutants_of
from tools.mutants.equivalents import equivalents


def test_listed_mutants_exist_in_the_sources_with_a_reason() -> None:
    every = {
        mutant.key for path in modules([]) for mutant in mutants_of(path, (ROOT / path).read_text("utf-8"))
    }
    listed = equivalents()
    assert set(listed) <= every
    assert all(len(reason.split()) > 3 for reason in listed.values())


def test_occurrence_selects_one_of_equal_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "equivalents.yaml"
    item = '{path: a.py, function: f, original: x < y, changed: "(x <= y)", reason: r%s}\n'
    file.write_text(f"- {item % ''}- {item % ', occurrence: 2'}")
    monkeypatch.setattr(module, "EQUIVALENTS", file)
    source = "def f(x, y):\n    return x < y, x < y, x < y\n"
    listed = [mutant.key in equivalents() for mutant in mutants_of("a.py", source) if "<=" in mutant.changed]
    assert listed == [True, True, False]
