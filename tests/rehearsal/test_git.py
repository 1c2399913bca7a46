"""Git commands: results, environment and hooks."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.errors import InputError
from rehearsal.git import run_git
from tests.rehearsal.review.repositories import Repository


def test_output_and_exit_code_are_returned(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    found = run_git(repository.root, "rev-parse", "HEAD")
    assert (found.returncode, found.stdout.strip()) == (0, repository.git("rev-parse", "HEAD"))
    missing = run_git(repository.root, "rev-parse", "--verify", "missing")
    assert missing.returncode != 0
    assert "fatal" in missing.stderr


def test_variables_of_a_hook_have_no_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository(tmp_path)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert run_git(repository.root, "rev-parse", "HEAD").returncode == 0


def test_hooks_are_not_run(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    hook = repository.root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    done = run_git(repository.root, *identity, "commit", "--quiet", "--allow-empty", "-m", "Change nothing")
    assert done.returncode == 0, done.stderr


def test_missing_git_is_an_error_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="git is not on PATH"):
        run_git(tmp_path, "status")
