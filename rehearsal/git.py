"""Run git commands, independently of hooks and of the environment of a hook."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from rehearsal.errors import InputError


def run_git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git in `folder` and return the ended process, whatever its exit code is.

    The variables of a git hook have no effect, and no hooks are run. Raises InputError without git on PATH.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        return subprocess.run(
            ["git", "-c", "core.hooksPath=/dev/null", *arguments],
            cwd=folder,
            env=environment | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            # Ctrl-C must not interrupt git: this process cleans up after git has ended.
            start_new_session=True,
        )
    except FileNotFoundError:
        raise InputError("git is not on PATH", remedy="Install git.") from None
