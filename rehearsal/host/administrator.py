"""Give an account of the service the administrator role, as docs/service.md describes for operators."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from rehearsal.host.client import Machine

_GRANT_SECONDS = 60.0


def grant_administrator(machine: Machine, project_root: Path, email: str) -> bool:
    """Run `python -m app grant` in the environment of a replica of `api`; returns whether it succeeded."""
    for item in machine.status().processes:
        if item.kind == "pod" and "/api-" in item.name and item.pid:
            with suppress(psutil.Error):
                process = psutil.Process(item.pid)
                environment, folder = process.environ(), process.cwd()
                done = subprocess.run(
                    [sys.executable, "-m", "app", "grant", email, "administrator"],
                    cwd=folder or project_root,
                    env={**environment, "PATH": os.environ.get("PATH", os.defpath)},
                    capture_output=True,
                    timeout=_GRANT_SECONDS,
                    check=False,
                )
                return done.returncode == 0
    return False
