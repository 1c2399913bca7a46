"""The recorder's process: what it copies, and when it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from loadtest.redis_cost.recorder import configurations
from tests.loadtest.redis_cost.test_recording import client, is_monitored, state
from tests.support.backends import ROOT, wait_for

__all__ = ["state"]


def test_configurations_of_all_servers_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "machine" / "data" / "redis"
    for name in ("kingdom-queue", "kingdom"):
        (folder / name).mkdir(parents=True)
        (folder / name / "redis.conf").write_text("")
    (folder / "empty").mkdir()
    assert [path.parent.name for path in configurations(tmp_path)] == ["kingdom", "kingdom-queue"]


def test_commands_are_copied_until_the_connection_ends(state: Path) -> None:
    (configuration,) = configurations(state)
    command = [sys.executable, "-m", "loadtest.redis_cost.recorder", str(configuration)]
    recorder = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    with client(state) as sender:
        wait_for("monitored", lambda: is_monitored(sender))
        sender.incr("number")
        sender.execute_command("CLIENT", "KILL", "SKIPME", "yes")
    output, _ = recorder.communicate(timeout=30)
    assert recorder.returncode == 0
    assert b'"INCRBY" "number" "1"' in output
