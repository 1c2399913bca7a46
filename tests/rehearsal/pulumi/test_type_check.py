"""Type checkers of project files: their arguments, and the error of one that fails or is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.errors import KingdomError
from rehearsal.pulumi import type_check

# A checker that prints its arguments and finds a fault in programs that contain "fault".
CHECKER = """
import pathlib, sys
print(sys.argv[1:])
sys.exit("fault" in pathlib.Path(sys.argv[-1], "__main__.py").read_text())
"""


@pytest.fixture
def main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a program, for which `mypy` is a checker of this test."""
    for name in ("packages/mypy/__main__.py", "infra/__main__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "packages/mypy/__init__.py").write_text("")
    (tmp_path / "packages/mypy/__main__.py").write_text(CHECKER)
    (tmp_path / "infra/__main__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))
    return tmp_path / "infra"


def test_program_without_a_fault_passes(main: Path) -> None:
    type_check.run("mypy", main, None)


def test_output_of_a_checker_that_fails_is_the_error(main: Path) -> None:
    (main / "__main__.py").write_text("fault")
    with pytest.raises(KingdomError) as raised:
        type_check.run("mypy", main, main.parent / "venv")
    assert raised.value.message == "mypy failed:"
    assert raised.value.details == (str(["--exclude", "../venv", str(main)]),)


def test_checker_that_is_not_installed_is_an_error(main: Path) -> None:
    with pytest.raises(KingdomError, match="typechecker is pyright, which is not installed"):
        type_check.run("pyright", main, None)
