"""The hang detector: files that belong to the program, and files of libraries."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rehearsal.engine.program.hang_detector import is_program_file

MAIN = Path("/project/infra")


@pytest.mark.parametrize("name", ["/project/infra/__main__.py", "/project/infra/edge/origin.py"])
def test_files_below_the_program_folder_are_its_own(name: str) -> None:
    assert is_program_file(name, MAIN)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/project/infrastructure/x.py",
        "/project/other.py",
        "<frozen importlib._bootstrap>",
        "/project/infra/.venv/lib/python3.11/site-packages/pulumi/output.py",
        "/project/infra/vendor/dist-packages/a.py",
    ],
)
def test_other_files_and_installed_packages_are_not(name: str) -> None:
    assert not is_program_file(name, MAIN)


def test_the_interpreter_inside_the_program_folder_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/project/infra/env")
    assert not is_program_file("/project/infra/env/bin/tool.py", MAIN)
    assert is_program_file("/project/infra/environment.py", MAIN)


def test_a_program_folder_that_is_the_prefix_keeps_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(MAIN))
    assert is_program_file("/project/infra/__main__.py", MAIN)
