"""`kingdom load` passes its arguments on and returns the exit code of the load test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]
COMMAND = "from rehearsal.cli.__main__ import run; run()"


def test_arguments_and_exit_code_are_those_of_the_load_test() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "load", "run", "low", "--stack", "nowhere"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "the stack nowhere does not run on this machine" in done.stderr
