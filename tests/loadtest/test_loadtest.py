"""Guards of the load test, and a short measurement against a running platform."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.backends import Platform

ROOT = Path(__file__).parents[2]
# Locust replaces sockets and threads of its process, so it has one of its own here too.
SMALL = """
import locust, json, sys
from pathlib import Path
from loadtest.load_runner import load_runner
from loadtest.mixes import MIXES
with load_runner(sys.argv[1], Path(sys.argv[2]), MIXES[sys.argv[3]]) as users:
    outcomes = [users.measure(4, 2.0, warm=0.5), users.measure(4, 3.0, rate=20, warm=0.5)]
print(json.dumps([outcome.as_json() for outcome in outcomes]))
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("mix", ["mixed", "authentication"])
def test_a_mix_is_served_without_an_error_and_keeps_to_its_rate(platform: Platform, mix: str) -> None:
    authority = ROOT / ".venv" / "pyvenv.cfg"  # not used over plain HTTP
    done = run(SMALL, platform.url, str(authority), mix)
    assert done.returncode == 0, done.stderr
    free, paced = json.loads(done.stdout)
    for outcome in (free, paced):
        assert outcome["failures"] == {}
        assert outcome["requests"] > 0
        assert 0 < outcome["p50"] <= outcome["p95"] <= outcome["p99"]
    assert 10 < paced["rate"] < 30


def test_no_load_leaves_this_machine() -> None:
    done = run(SMALL, "https://192.0.2.1", "ca.pem", "mixed")
    assert done.returncode != 0
    assert "load tests run only against loopback" in done.stderr


def test_without_a_platform_it_says_how_to_bring_one_up() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loadtest", "--stack", "nowhere"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "make up" in done.stderr
    assert "Traceback" not in done.stderr
