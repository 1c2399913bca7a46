"""Conventions for all files: paths, length, line endings."""

import ast
import re
from pathlib import Path

import pytest

from tests.repository._tree import ROOT, name, text, tracked

MAX_LINES = 600  # a longer module should be split by concern
# Paths of one machine: home folders, checkouts, temporary folders.
MACHINE_PATHS = re.compile(r"(?<![\w.-])/(?:home|root|Users|work|tmp)/[a-z][\w.-]*", re.IGNORECASE)


def _machine_paths(path: Path) -> list[str]:
    return [match.group() for match in MACHINE_PATHS.finditer(text(path) or "")]


def test_no_tracked_file_contains_a_path_of_one_machine() -> None:
    found = {name(path): paths for path in tracked() if (paths := _machine_paths(path))}
    assert not found


def test_no_python_file_is_longer_than_the_limit() -> None:
    lengths = {name(path): (text(path) or "").count("\n") for path in tracked(".py")}
    assert not {path: lines for path, lines in lengths.items() if lines > MAX_LINES}


def test_text_files_end_with_one_newline_and_carry_no_carriage_returns() -> None:
    for path in tracked():
        content = text(path)
        if content:
            assert content.endswith("\n"), name(path)
            assert not content.endswith("\n\n"), name(path)
            assert "\r" not in content, name(path)


@pytest.mark.parametrize("package", ["app", "infra", "loadtest", "policies", "rehearsal"])
def test_every_module_has_a_docstring(package: str) -> None:
    silent = [
        name(path)
        for path in tracked(".py")
        if path.is_relative_to(ROOT / package)
        and (content := text(path))
        and content.count("\n") > 5
        and not ast.get_docstring(ast.parse(content))
    ]
    assert not silent


def test_the_program_does_not_depend_on_the_name_of_the_stack() -> None:
    asking = [
        f"{name(path)}:{node.lineno}"
        for path in tracked(".py")
        if path.is_relative_to(ROOT / "infra")
        for node in ast.walk(ast.parse(text(path) or ""))
        if isinstance(node, ast.Compare) and re.search(r"\b(get_stack|stack)\b", ast.unparse(node.left))
    ]
    assert not asking


def test_no_module_has_a_generic_name() -> None:
    vague = {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"}
    assert not [name(path) for path in tracked(".py") if path.name in vague]
