"""The set-up script of GitHub checks the same settings that it sets and that the workflows need."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflows.test_workflows import FOLDER, ROOT, jobs

SCRIPT = ROOT / ".github/scripts/set-up-github"
# Replaces `gh`: stores the settings that it receives, and returns them.
GH = """\
import json, pathlib, sys
file = pathlib.Path(__file__).with_name("state.json")
state = json.loads(file.read_text()) if file.exists() else {}
arguments = sys.argv[2:]
method = arguments[arguments.index("--method") + 1] if "--method" in arguments else "GET"
path = next(one for one in arguments if one.startswith(("repos/", "orgs/")))
if method == "PUT":
    state[path] = json.load(sys.stdin)
elif method == "POST":
    state.setdefault(path, {"branch_policies": []})["branch_policies"].append({"name": "main"})
elif path.startswith("orgs/"):
    print(json.dumps({"id": 7}))
elif path.endswith("/protection") and path in state:
    found = state[path]
    switches = ("enforce_admins", "allow_force_pushes", "allow_deletions")
    print(json.dumps(found | {name: {"enabled": found[name]} for name in switches}))
elif path.endswith("/variables") and "STATE" not in path:
    names = ["IDENTITY_PROVIDER", "PULUMI_BACKEND_URL", "SERVICE_ACCOUNT"]
    names += [] if "-read/" in path else ["IMAGE_REPOSITORY", "REGISTRY"]
    print(json.dumps({"variables": [{"name": name} for name in names]}))
elif path.endswith("environments/prod/secrets") or path.endswith("environments/prod-read/secrets"):
    names = ["MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY", "CLOUDFLARE_API_TOKEN"]
    print(json.dumps({"secrets": [{"name": name} for name in names]}))
elif path in state:
    found = state[path]
    if "reviewers" in found:
        found = {"protection_rules": [{"type": "required_reviewers", "reviewers": found["reviewers"]}]}
    print(json.dumps(found))
else:
    sys.exit(1)
file.write_text(json.dumps(state))
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("jq") is None:
        pytest.skip("jq is not on PATH")
    (folder / "gh.py").write_text(GH)
    gh = folder / "gh"
    gh.write_text(f'#!/bin/sh\nexec {sys.executable} {folder}/gh.py "$@"\n')
    gh.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [str(SCRIPT), *arguments], capture_output=True, text=True, check=False, env=environment
    )


def test_check_accepts_exactly_the_settings_of_the_script(tmp_path: Path) -> None:
    before = run(tmp_path, "--check", "o/r", "prod")
    assert before.returncode == 1
    assert "differs  main: required statuses" in before.stdout
    assert run(tmp_path, "o/r", "prod").returncode == 0
    after = run(tmp_path, "--check", "o/r", "prod")
    assert after.returncode == 0, after.stdout + after.stderr
    assert not [line for line in after.stdout.splitlines() if not line.startswith("ok ")]
    state = json.loads((tmp_path / "state.json").read_text())
    assert state["repos/o/r/environments/prod"]["reviewers"] == [{"type": "Team", "id": 7}]
    assert state["repos/o/r/environments/prod-read"]["reviewers"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "key", "value", "line"),
    [
        ("actions/permissions/workflow", "can_approve_pull_request_reviews", True, "workflows: may approve"),
        (
            "actions/permissions/workflow",
            "default_workflow_permissions",
            "write",
            "workflows: rights by default",
        ),
        ("branches/main/protection", "allow_force_pushes", True, "main: forced pushes and deletion"),
        ("branches/main/protection", "enforce_admins", False, "main: administrators too"),
    ],
)
def test_a_setting_that_was_changed_is_reported(
    tmp_path: Path, path: str, key: str, value: object, line: str
) -> None:
    assert run(tmp_path, "o/r", "prod").returncode == 0
    file = tmp_path / "state.json"
    state = json.loads(file.read_text())
    state[f"repos/o/r/{path}"][key] = value
    file.write_text(json.dumps(state))
    after = run(tmp_path, "--check", "o/r", "prod")
    assert after.returncode == 1
    differs = [text for text in after.stdout.splitlines() if text.startswith("differs")]
    assert len(differs) == 1
    assert line in differs[0]


def test_the_required_statuses_are_names_of_jobs() -> None:
    found = re.search(r"^statuses='(\[.*\])'$", SCRIPT.read_text(), re.MULTILINE)
    assert found is not None
    names = {job["name"] for job in jobs(FOLDER / "preview.yml").values() if "name" in job}
    names |= {f"checks / {job['name']}" for job in jobs(FOLDER / "checks.yml").values()}
    assert set(json.loads(found[1])) == names | {"Rules"}
