"""`kingdom preview`: options that exclude each other, one stack, and all stacks."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rehearsal.cli.app import app
from rehearsal.cli.commands import preview as module
from rehearsal.errors import InputError
from rehearsal.review.command import Format
from tests.rehearsal.minimal import Tiny


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--save-plan", "plan.json", "--base", "main"],
            "--save-plan is for the plan of one stack, without --base and --format",
        ),
        (["--save-plan", "plan.json", "--all"], "--save-plan is for the plan of one stack, not for --all"),
        (
            ["--format", "yaml"],
            "--format is one of text, markdown, json, sarif, junit, not 'yaml'",
        ),
        (
            ["--write", "text=review.txt"],
            "--write is FORMAT=FILE with one of markdown, json, sarif, junit, not 'text'",
        ),
        (["--write", "json"], "--write is FORMAT=FILE with one of markdown, json, sarif, junit, not 'json'"),
        (["--write", "json=a", "--write", "=b"], "not ''"),
        (["--target", "a", "--exclude", "b"], "--target and --exclude cannot be used together"),
        (["--target-replace", "a", "--exclude", "b"], "--target and --exclude cannot be used together"),
        (["--target", "a", "--all"], "are for the plan of one stack"),
        (["--refresh", "--base", "main"], "are for the plan of one stack"),
        (["--replace", "a", "--format", "json"], "are for the plan of one stack"),
    ],
)
def test_options_that_cannot_be_used_together_are_refused(
    options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before the project is read: this folder has none.
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["preview", *options])
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_formats_are_those_of_reviews() -> None:
    assert set(module.FORMATS) == {each.value for each in Format}


@pytest.mark.slow
def test_plan_of_one_stack_has_its_digest_and_changes_nothing(tmp_path: Path) -> None:
    project = Tiny.make(tmp_path)
    ended = project.run("preview", "--json", "--save-plan", "plan.json")
    assert ended.returncode == 0, ended.stderr
    data = json.loads(ended.stdout)
    assert (data["ok"], data["counts"]["create"] >= 2) == (True, True)
    assert data["digest"] in (tmp_path / "plan.json").read_text()
    assert not project.state.exists()
    text = project.run("preview").stdout
    assert f"digest of this plan: {data['digest']}" in text


@pytest.mark.slow
def test_all_stacks_are_planned_and_the_exit_code_is_the_worst(tmp_path: Path) -> None:
    project = Tiny.make(tmp_path)
    (tmp_path / "stacks/Pulumi.broken.yaml").write_text("config: {}\n")
    ended = project.run("preview", "--all", "--json")
    data = json.loads(ended.stdout)
    assert (ended.returncode, data["ok"], set(data["stacks"])) == (2, False, {"broken", "local"})
    assert data["stacks"]["local"]["ok"] is True
    broken = data["stacks"]["broken"]
    assert (broken["stack"], broken["ok"]) == ("broken", False)
    assert "tiny:words is missing" in json.dumps(broken)
    text = project.run("preview", "--all")
    assert text.returncode == 2
    assert "error: broken: " in text.stderr
    lines = [line.partition(" (")[0] for line in text.stdout.splitlines()[-2:]]
    assert lines == ["local: clean", "broken: failed"]


@pytest.mark.parametrize("options", [[], ["--format", "json"]])
def test_all_stacks_of_a_folder_without_stack_files_are_an_error(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Tiny.make(tmp_path)
    project.stack.unlink()
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["preview", "--all", *options])
    assert isinstance(result.exception, InputError)
    assert str(result.exception).startswith(f"no stack file in {tmp_path / 'stacks'}")


@pytest.mark.slow
def test_crash_of_native_code_names_the_line_of_the_program(tmp_path: Path) -> None:
    """In another process, because pytest enables `faulthandler` in this one."""
    project = Tiny.make(tmp_path)
    project.program.write_text("import ctypes\n\nctypes.string_at(0)\n")
    ended = project.run("preview", "--stack", "local")
    assert ended.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in ended.stderr
    assert f'File "{project.program}", line 3' in ended.stderr
