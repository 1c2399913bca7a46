"""Shared parts of the commands: which policy pack is used, exit codes, and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from rehearsal.cli.app import app
from rehearsal.cli.commands.base import examples, exit_for, pack_of, print_json
from rehearsal.pulumi.project import Project
from tests.rehearsal.minimal import Tiny


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.at(Tiny.make(tmp_path / "tiny").root)


def test_pack_of_the_project_is_the_default_in_every_folder(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = project.root / "policies"
    monkeypatch.chdir(project.root / "infra")
    assert pack_of(project, None) == own
    # As it is written in the documentation and by `make`, from the project's folder.
    assert pack_of(project, Path("policies")) == own
    (own / "PulumiPolicy.yaml").unlink()
    assert pack_of(project, None) is None


def test_another_pack_is_relative_to_the_current_folder_and_none_disables_policies(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert pack_of(project, Path("other")) == tmp_path / "other"
    assert pack_of(project, Path("/pack")) == Path("/pack")
    assert pack_of(project, Path("none")) is None


@pytest.mark.parametrize(
    ("interrupted", "errors", "mandatory", "code"),
    [
        (False, [], [], None),
        (False, [], ["policy"], 3),
        (False, ["error"], [], 1),
        (False, ["error"], ["policy"], 1),
        (True, ["error"], ["policy"], 130),
    ],
)
def test_exit_code_is_that_of_the_first_problem(
    interrupted: bool, errors: list[str], mandatory: list[str], code: int | None,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    result = SimpleNamespace(interrupted=interrupted, errors=errors, mandatory=mandatory)
    if code is None:
        exit_for(result)
        return
    with pytest.raises(typer.Exit) as caught:
        exit_for(result)
    assert caught.value.exit_code == code
    assert ("run the command again to continue" in capsys.readouterr().err) == interrupted


def test_json_is_one_object_with_readable_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "Zoë", "none": None})
    text = capsys.readouterr().out
    assert json.loads(text) == {"name": "Zoë", "none": None}
    assert "Zoë" in text


def test_help_lists_the_exit_codes_and_the_examples() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "300"}).output
    for code in ("0 success", "1 failure", "2 the input cannot be used", "3 a mandatory", "130 interrupted"):
        assert code in shown
    assert examples("kingdom up", "kingdom down") == "Examples: `kingdom up`; `kingdom down`"
