"""`kingdom forecast` with the committed calibration, on the stacks of this repository."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[4]
COMMAND = "from rehearsal.cli.__main__ import run; run()"


def forecast(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, "forecast", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def figures(*arguments: str) -> tuple[int, dict[str, Any]]:
    done = forecast(*arguments, "--json")
    assert done.returncode in {0, 1}, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


@pytest.mark.slow
@pytest.mark.parametrize("stack", ["local", "dev", "staging", "prod"])
def test_each_stack_is_forecast(stack: str) -> None:
    code, found = figures("--stack", stack, "--users", "100")
    assert found["stack"] == stack
    assert code == (0 if found["holds"] else 1)


@pytest.mark.slow
def test_more_users_need_more_replicas_and_cost_more() -> None:
    _, few = figures("--users", "2000")
    _, many = figures("--users", "40000")
    assert few["replicas"]["api"] < many["replicas"]["api"]
    assert few["usdPerHour"]["peak"] <= many["usdPerHour"]["peak"]


def test_a_load_test_that_cannot_be_read_is_an_input_error(tmp_path: Path) -> None:
    done = forecast("--validate", str(tmp_path / "absent.json"))
    assert done.returncode == 2
    assert "cannot be read as the JSON of a load test" in done.stderr
