"""`kingdom load` passes its arguments on and returns the exit code of the load test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
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


def test_sigterm_is_passed_on_to_the_load_test(tmp_path: Path) -> None:
    fake = tmp_path / "loadtest" / "__main__.py"
    fake.parent.mkdir()
    (fake.parent / "__init__.py").touch()
    fake.write_text(
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))\n"
        f"pathlib.Path({str(tmp_path / 'began')!r}).touch()\n"
        "time.sleep(60)\n"
    )
    (tmp_path / "Pulumi.yaml").write_text(
        "name: tiny\nruntime: python\nmain: infra\nstackConfigDir: stacks\n"
    )
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "__main__.py").touch()
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.local.yaml").write_text("config: {}\n")
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "load", "run", "low"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
    )  # fmt: skip
    ends = time.monotonic() + 30
    while not (tmp_path / "began").exists():
        assert process.poll() is None
        assert time.monotonic() < ends
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 130
