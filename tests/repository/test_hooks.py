"""Commit hooks and CI run only programs that the repository installs itself."""

import os
import re
import subprocess
from typing import Any

import yaml

from tests.repository._tree import ROOT
from tests.repository.test_make import targets

CONFIG = ROOT / ".pre-commit-config.yaml"
CI = ROOT / ".ci" / "run"


def _hooks() -> list[dict[str, Any]]:
    return [hook for repo in yaml.safe_load(CONFIG.read_text())["repos"] for hook in repo["hooks"]]


def test_hooks_need_no_remote_host() -> None:
    assert {repo["repo"] for repo in yaml.safe_load(CONFIG.read_text())["repos"]} == {"local"}


def test_hooks_run_programs_of_the_project() -> None:
    for hook in _hooks():
        program = hook["entry"].split()[0]
        assert os.access(ROOT / program, os.X_OK), hook["id"]


def test_hooks_check_the_same_as_make_lint() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for tool in re.findall(r"^\t@\$\(BIN\)/((?:ruff|pyrefly) \w+)", makefile, re.MULTILINE):
        assert any(hook["entry"].startswith(f".venv/bin/{tool}") for hook in _hooks()), tool


def test_ci_is_a_sound_script_that_runs_the_readme_commands() -> None:
    script = CI.read_text()
    assert os.access(CI, os.X_OK)
    assert script.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in script
    subprocess.run(["bash", "-n", str(CI)], check=True)
    called = set(re.findall(r"\bmake ([a-z]+)\b", script))
    assert {"lint", "test", "up", "down"} <= called <= targets()
