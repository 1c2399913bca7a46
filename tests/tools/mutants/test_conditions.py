"""Mutants: every condition of a module, each changed in one place."""

from __future__ import annotations

import ast

from tools.mutants.conditions import mutants_of

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


def test_mutants_name_their_function_and_count_equal_changes_in_it() -> None:
    source = (
        "class A:\n"
        "    def f(self, x):\n"
        "        return x is None or (x is\n"
        "            None)\n"
        "    def g(self, x):\n"
        "        return x is None\n"
    )
    found = [item for item in mutants_of("module.py", source) if item.changed.endswith("not None)")]
    assert [(item.function, item.occurrence) for item in found] == [("A.f", 1), ("A.f", 2), ("A.g", 1)]
    assert len({item.key for item in found}) == 3


def test_key_does_not_depend_on_the_line() -> None:
    first = {mutant.key for mutant in mutants_of("module.py", SOURCE)}
    assert first == {mutant.key for mutant in mutants_of("module.py", f"import os\n\n{SOURCE}")}
