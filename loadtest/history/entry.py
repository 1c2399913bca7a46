"""One recorded run: when, of which commit, with which settings, and what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import psutil

from loadtest.generator.recorder import Window
from loadtest.platform import ROOT, Platform
from rehearsal.errors import InputError
from rehearsal.git import run_git

FORMAT: Final = 1
ALL: Final = "all endpoints"
FOLDER: Final = Path("loadtest/history")
"""The folder of histories below the root of the project."""
_MAX_FILES_NAMED: Final = 5


class Measured(msgspec.Struct, frozen=True, rename="camel"):
    """The requests of one endpoint after the warm-up: their number, response times in seconds, errors."""

    count: int
    p50: float
    p95: float
    p99: float
    error_share: float


class Entry(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A valid run of `kingdom load run` or `kingdom load capacity`. Fields that are not known are ignored.

    `seconds` is the duration of a run or of each step of a capacity search, whose result is `rate`.
    """

    format: int
    kind: str
    date: datetime
    commit: str
    machine: str
    mix: str
    seconds: float
    seed: int
    accounts: int
    scenario: str = ""
    scale: float = 1.0
    endpoints: dict[str, Measured] = {}
    rate: float | None = None

    @property
    def title(self) -> str:
        """The settings within which runs can be compared."""
        if self.kind == "capacity":
            return f"capacity, mix {self.mix}, steps of {self.seconds:g} s, {self.accounts} accounts"
        return (
            f"{self.scenario}, mix {self.mix}, scale {self.scale:g}, {self.seconds:g} s, "
            f"{self.accounts} accounts"
        )


def measured(windows: Iterable[tuple[str, Window]]) -> dict[str, Measured]:
    """Return what was measured, by endpoint; windows without arrivals are left out."""
    return {
        name: Measured(window.arrivals, window.p50, window.p95, window.p99, round(window.error_share, 6))
        for name, window in windows
        if window.arrivals
    }


def now() -> datetime:
    """The current time in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def recorded_commit(platform: Platform, root: Path = ROOT) -> str:
    """Return the full name of the commit that the platform runs.

    Raises InputError if the run would not belong to a commit: files of the work tree were changed, or files
    of the service were replaced after its pods had started.
    """
    commit = _git(root, "rev-parse", "HEAD").strip()
    changed = [
        line[3:]
        for line in _git(root, "status", "--porcelain", "--untracked-files=no").splitlines()
        # The history itself changes with every recorded run.
        if not line[3:].strip('"').startswith(f"{FOLDER}/")
    ]
    if changed:
        raise InputError(
            f"the run cannot be recorded: {_files(changed)} changed since the commit {commit[:12]}",
            remedy="Commit or stash the changes; a recorded run belongs to a commit.",
        )
    started = _pods_started(platform)
    newer = [path for path in _git(root, "ls-files", "app").splitlines() if _modified(root / path) > started]
    if newer:
        raise InputError(
            f"the run cannot be recorded: {_files(newer)} changed after the service was started",
            remedy="Run `kingdom down` and `kingdom up`, so that the service of this commit runs.",
        )
    return commit


def _pods_started(platform: Platform) -> float:
    """Return when the first of the running pods started; infinity if none is known."""
    if platform.machine is None:
        return float("inf")
    processes = platform.machine.status().processes
    pids = [each.pid for each in processes if each.kind == "pod" and each.pid is not None]
    times = [psutil.Process(pid).create_time() for pid in pids if psutil.pid_exists(pid)]
    return min(times, default=float("inf"))


def _modified(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


def _files(names: list[str]) -> str:
    rest = len(names) - _MAX_FILES_NAMED
    return ", ".join(names[:_MAX_FILES_NAMED]) + (f" and {rest} more files" if rest > 0 else "")


def _git(root: Path, *arguments: str) -> str:
    done = run_git(root, *arguments)
    if done.returncode:
        reason = done.stderr.strip()
        raise InputError(f"the run cannot be recorded: {root} is not a git work tree ({reason})")
    return done.stdout
