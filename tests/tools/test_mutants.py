"""Mutants: every condition of a module, each changed in one place, reproducible from a seed."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools import mutants
from tools.mutants import AREAS, ROOT, Mutant, draw, main, modules, mutants_of, suites_of

SOURCE = '''\
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os


def check(a, b, c):
    """é"""
    assert a < b
    if a < b and not c:
        return len(c) >= 2
    return a is None or "x" not in b
'''


def changes(source: str) -> set[str]:
    return {f"{mutant.original} -> {mutant.changed}" for mutant in mutants_of("module.py", source)}


def test_every_condition_is_mutated_and_assertions_are_not() -> None:
    assert changes(SOURCE) == {
        "a < b -> (a <= b)",
        "a < b -> (a >= b)",
        "a < b and not c -> ((a < b) or (not c))",
        "not c -> (c)",
        "len(c) >= 2 -> (len(c) > 2)",
        "len(c) >= 2 -> (len(c) < 2)",
        "len(c) >= 2 -> (len(c) >= 3)",
        "a is None -> (a is not None)",
        '"x" not in b -> ("x" in b)',
        'a is None or "x" not in b -> ((a is None) and ("x" not in b))',
    }


def test_mutants_change_one_place_and_still_parse() -> None:
    for mutant in mutants_of("module.py", SOURCE):
        changed = mutant.apply(SOURCE)
        ast.parse(changed)
        before, after = SOURCE.splitlines(), changed.splitlines()
        assert [
            number for number, pair in enumerate(zip(before, after, strict=True), 1) if pair[0] != pair[1]
        ] == [mutant.line]


def test_sample_is_reproducible_and_bounded() -> None:
    assert draw(["breaker"], 10, 7) == draw(["breaker"], 10, 7)
    assert draw(["breaker"], 10, 7) != draw(["breaker"], 10, 8)
    assert len(draw(["rollout"], 10_000, 1)) < 10_000


@pytest.mark.parametrize("area", AREAS)
def test_every_area_has_modules_and_tests(area: str) -> None:
    found = modules([area])
    assert found
    for path in found:
        assert all((ROOT / test).exists() for test in suites_of(path)), path


def test_mirrored_test_runs_first() -> None:
    assert suites_of("app/resilience/breaker.py") == [
        "tests/app/resilience/test_breaker.py",
        "tests/app/resilience",
    ]


class FakeRunner:
    """Kills every mutant of one line only."""

    def __init__(self, *_: object) -> None: ...

    def passes(self, tests: list[str]) -> bool:
        return True

    def is_killed(self, mutant: Mutant) -> bool:
        return mutant.original != "attempt >= attempts"


def retry_only(_: Sequence[str]) -> list[str]:
    return ["app/resilience/retry.py"]


def test_ratio_below_the_goal_fails_and_names_the_survivors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mutants, "Runner", FakeRunner)
    monkeypatch.setattr(mutants, "modules", retry_only)
    assert main(["breaker", "--sample", "1000", "--goal", "100"]) == 1
    output = capsys.readouterr().out
    assert "app/resilience/retry.py" in output
    assert "attempt >= attempts -> (attempt > attempts)" in output
    assert main(["breaker", "--sample", "1000", "--goal", "50"]) == 0


def test_listed_equivalent_mutants_do_not_count(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mutants, "Runner", FakeRunner)
    monkeypatch.setattr(mutants, "modules", retry_only)
    listed = {
        mutants._key(
            "app/resilience/retry.py", "attempt >= attempts", f"(attempt {operator} attempts)"
        ): "because"
        for operator in (">", "<")
    }
    monkeypatch.setattr(mutants, "equivalents", lambda: listed)
    assert main(["breaker", "--sample", "1000", "--goal", "100"]) == 0
    assert "2 equivalent" in capsys.readouterr().out


def test_listed_equivalents_exist_in_the_sources() -> None:
    every = {
        mutants._key(path, mutant.original, mutant.changed)
        for path in modules([])
        for mutant in mutants_of(path, (ROOT / path).read_text("utf-8"))
    }
    assert set(mutants.equivalents()) <= every


def test_tests_are_selected_by_the_marker_expression_of_the_makefile() -> None:
    markers = {part.removeprefix("not ") for part in mutants.marker_expression().split(" and ")}
    assert {"drill", "soak", "cluster"} <= markers


def test_makefile_without_the_marker_expression_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "Makefile").write_text("test:\n\tpytest\n")
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="SUITE"):
        mutants.marker_expression()
