"""The base is checked out beside the work tree, and removed in every case."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal.errors import InputError
from rehearsal.pulumi.project import Project
from rehearsal.review.base_checkout import checked_out, head_of
from tests.rehearsal.review.repositories import Repository

HOLD = """
import sys, time
from pathlib import Path
from rehearsal.pulumi.project import Project
from rehearsal.review.base_checkout import checked_out
with checked_out(Project.find(Path(sys.argv[1])), "HEAD"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def project(repository: Repository) -> Project:
    return Project.find(repository.root)


def hold(repository: Repository) -> subprocess.Popen[str]:
    """A process that has a base checked out."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(repository.root)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def finish(process: subprocess.Popen[str], number: int) -> None:
    process.send_signal(number)
    process.wait(timeout=30)
    assert process.stdout is not None
    process.stdout.close()


def test_the_base_is_what_the_ref_was_and_not_what_the_work_tree_is(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.stack("dev", count=5)
    repository.commit("more")
    with checked_out(project(repository), "HEAD~1") as base:
        assert base.commit == first
        assert base.project.stack("dev").config == {"tiny:count": "2"}
        assert len(repository.worktrees()) == 1
    assert repository.worktrees() == []
    assert repository.leftovers() == []


def test_an_error_inside_leaves_no_worktree(repository: Repository) -> None:
    with pytest.raises(ZeroDivisionError), checked_out(project(repository), "main"):
        raise ZeroDivisionError
    assert repository.worktrees() == []
    assert repository.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_process_leaves_no_worktree(repository: Repository, number: int) -> None:
    process = hold(repository)
    finish(process, number)
    assert process.returncode != 0
    assert repository.worktrees() == []
    assert repository.leftovers() == []


def test_worktree_of_a_killed_process_is_removed_and_that_of_a_running_one_is_not(
    repository: Repository,
) -> None:
    killed = hold(repository)
    finish(killed, signal.SIGKILL)
    assert len(repository.worktrees()) == 1
    living = hold(repository)
    try:
        assert len(repository.worktrees()) == 1
        with checked_out(project(repository), "main"):
            assert len(repository.worktrees()) == 2
        assert len(repository.worktrees()) == 1
    finally:
        finish(living, signal.SIGTERM)
    assert repository.worktrees() == []
    assert repository.leftovers() == []


@pytest.mark.parametrize("ref", ["no-such-branch", "--upload-pack=x", "main:Pulumi.yaml", ""])
def test_an_unknown_ref_is_an_error_that_names_it(repository: Repository, ref: str) -> None:
    with pytest.raises(InputError, match=r"ref|commit"), checked_out(project(repository), ref):
        pass
    assert repository.worktrees() == []


def test_a_base_without_a_project_is_an_error_and_not_the_project_around_it(repository: Repository) -> None:
    (repository.root / "Pulumi.yaml").unlink()
    before = repository.commit("no project")
    repository.write("Pulumi.yaml", "name: tiny\nruntime: python\nmain: infra\nstackConfigDir: stacks\n")
    repository.commit("a project again")
    with (
        pytest.raises(InputError, match=r"cannot be planned: Pulumi.yaml cannot be read") as caught,
        checked_out(project(repository), before),
    ):
        pass
    assert str(repository.root) not in str(caught.value)
    assert repository.worktrees() == []


def test_outside_a_repository_a_base_is_an_error(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "inner")
    repository.git("rev-parse", "HEAD")
    for file in sorted((repository.root / ".git").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (repository.root / ".git").rmdir()
    with pytest.raises(InputError, match="not a git work tree"), checked_out(project(repository), "main"):
        pass


def test_a_project_below_the_top_of_its_repository_is_found_there(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    (tmp_path / "platform").mkdir()
    for name in ("Pulumi.yaml", "infra", "stacks"):
        repository.git("mv", name, f"platform/{name}")
    repository.commit("moved")
    with checked_out(Project.find(tmp_path / "platform"), "HEAD") as base:
        assert base.project.root.name == "platform"
        assert base.project.stack_names() == ["dev"]


def test_hooks_and_variables_of_git_have_no_effect(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hook = repository.root / ".git/hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    with checked_out(project(repository), "main"):
        pass
    assert not (tmp_path / "ran").exists()


def test_uncommitted_changes_are_known(repository: Repository) -> None:
    commit = repository.git("rev-parse", "HEAD")
    assert head_of(project(repository)) == (commit, False)
    repository.stack("dev", count=3)
    assert head_of(project(repository)) == (commit, True)
