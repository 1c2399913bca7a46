"""Temporary checkout of the commit that a change is compared with."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rehearsal.errors import InputError, KingdomError
from rehearsal.git import run_git
from rehearsal.interrupts import deferred, terminable
from rehearsal.pulumi.project import STATE_FOLDER, Project

FOLDER: Final = "bases"  # in the state folder; it has one folder and one lock file per checkout


@dataclass(frozen=True)
class Base:
    """A checked-out commit: the `ref` that named it, its project, and a folder for its stacks' states."""

    ref: str
    commit: str
    project: Project
    states: Path


class BaseUnusableError(InputError):
    """The commit of the base has no project that can be planned."""


def commit_of(project: Project, ref: str) -> str:
    """Return the full name of the commit that `ref` names. Raises InputError."""
    if ref.startswith("-"):
        raise InputError(f"{ref!r} is not a git ref: a ref does not begin with a hyphen")
    found = run_git(project.root, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    if found.returncode:
        raise InputError(
            f"the base {ref!r} is not a commit of this repository",
            remedy="Name a branch, tag or commit that is here; a shallow clone has few:"
            " `git fetch origin BRANCH` brings one.",
        )
    return found.stdout.strip()


def head_of(project: Project) -> tuple[str, bool]:
    """Return the checked-out commit, and whether the work tree differs from it. Raises InputError."""
    changed = run_git(project.root, "status", "--porcelain", "--untracked-files=no")
    if changed.returncode:
        raise InputError(
            f"{project.root} is not a git work tree: {_last_line(changed.stderr)}",
            remedy="Without --base no repository is needed.",
        )
    return commit_of(project, "HEAD"), bool(changed.stdout.strip())


def named_head(project: Project, ref: str) -> tuple[str, bool]:
    """Like `head_of`, but return the commit that `ref` names. Raises InputError.

    A CI runner checks out a temporary merge commit, while reviews name the commit that was pushed.
    """
    checked_out, dirty = head_of(project)
    if not ref:
        return checked_out, dirty
    commit = commit_of(project, ref)
    if run_git(project.root, "merge-base", "--is-ancestor", commit, "HEAD").returncode:
        raise InputError(
            f"the head {ref!r} is not part of what is checked out",
            remedy="Name the commit that is checked out, or one that was merged into it.",
        )
    return commit, dirty


@contextlib.contextmanager
def checked_out(project: Project, ref: str) -> Iterator[Base]:
    """Check out `ref` in a temporary git worktree and yield its project; remove the worktree at the end.

    Ctrl-C and SIGTERM raise KeyboardInterrupt in the block; during the removal they take effect after it. The
    worktree of a killed process is removed by the next call: a lock shows whether its process still runs.
    Raises InputError for an invalid ref, and BaseUnusableError for a commit without a project.
    """
    head_of(project)
    commit = commit_of(project, ref)
    top = Path(run_git(project.root, "rev-parse", "--show-toplevel").stdout.strip())
    with terminable(), _own_folder(top, project.root / STATE_FOLDER / FOLDER) as folder:
        tree = folder / "tree"
        try:
            added = run_git(top, "worktree", "add", "--quiet", "--detach", str(tree), commit)
            if added.returncode:
                raise KingdomError(f"git cannot check out {ref!r}: {_last_line(added.stderr)}")
            yield Base(ref, commit, _project(ref, tree, project.root.relative_to(top)), folder / "states")
        finally:
            with deferred():
                _remove(top, tree)


def _project(ref: str, tree: Path, place: Path) -> Project:
    try:
        return Project.at(tree / place)
    except InputError as error:
        # Name the ref instead of the temporary folder, which no longer exists when the error is read.
        text = error.message.replace(f"{tree}{os.sep}", "")
        raise BaseUnusableError(
            f"the base {ref!r} cannot be planned: {text}", details=error.details
        ) from None


@contextlib.contextmanager
def _own_folder(top: Path, home: Path) -> Iterator[Path]:
    """Create a folder in `home` and hold a lock file of the same name for the duration of the block.

    Before that, remove folders whose lock is free: their processes have ended.
    """
    home.mkdir(parents=True, exist_ok=True)
    with _locked(home / "lock", wait=True):
        _prune(top, home)
        folder = Path(tempfile.mkdtemp(dir=home))
        lock = contextlib.ExitStack()
        lock.enter_context(_locked(folder.with_suffix(".lock"), wait=False))
    with lock:
        try:
            yield folder
        finally:
            with deferred():
                shutil.rmtree(folder, ignore_errors=True)
                folder.with_suffix(".lock").unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock file `path`. The kernel releases it when the process ends.

    Raises BlockingIOError if another process holds it and `wait` is false.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def _prune(top: Path, home: Path) -> None:
    """Remove the folders of processes that have ended."""
    for folder in [path for path in home.iterdir() if path.is_dir()]:
        lock = folder.with_suffix(".lock")
        with contextlib.suppress(BlockingIOError), _locked(lock, wait=False):
            _remove(top, folder / "tree")
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


def _remove(top: Path, tree: Path) -> None:
    if tree.exists():
        # --force twice removes a locked worktree; git locks it while adding it, and may have been killed.
        run_git(top, "worktree", "remove", "--force", "--force", str(tree))
        shutil.rmtree(tree, ignore_errors=True)
    run_git(top, "worktree", "prune")


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
