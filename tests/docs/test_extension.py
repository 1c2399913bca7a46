"""Adding a role and an environment requires only the documented steps."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.pulumi.project import Project
from rehearsal.review.changes.shared_identifiers import KEYS, shared_identifiers

ROOT = Path(__file__).parents[2]
ROLE_PAGE = (ROOT / "docs/add-a-role.md").read_text()
ENVIRONMENT_PAGE = (ROOT / "docs/add-an-environment.md").read_text()

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Copy the files that a plan needs."""
    for name in ("infra", "policies", "stacks", ".github"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    return tmp_path


def preview(project: Path, stack: str) -> dict[str, Any]:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("kingdom")), "preview", "--stack", stack, "--format", "json"],
        cwd=project, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(project)},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    data: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 0, json.dumps([data["findings"], data["stacks"][0]["error"]], indent=1)
    return data


def block(page: str, language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    return str(found[0])


def test_a_role_is_added_by_one_entry_and_its_size(project: Path) -> None:
    table = project / "infra/settings/roles.py"
    text = table.read_text()
    marker = '    "worker": '
    assert text.count(marker) == 1
    role = "transcoder"
    while f'"{role}":' in text:  # the program may already have a role with the name of the example
        role += "-2"
    table.write_text(text.replace(marker, block(ROLE_PAGE, "python").replace("transcoder", role) + marker))
    for path in (project / "stacks").glob("Pulumi.*.yaml"):
        text = path.read_text()
        assert text.count("\n    worker:\n") == 1
        section = block(ROLE_PAGE, "yaml").replace("transcoder", role)
        path.write_text(text.replace("\n    worker:\n", "\n" + section + "    worker:\n"))
    data = preview(project, "dev")
    declared = {
        (change["type"].rpartition(":")[2], change["name"]) for change in data["stacks"][0]["changes"]
    }
    for kind, name in {(kind, name) for kind, name in declared if "worker" in name.split("-")}:
        if not kind[:1].islower():
            assert (kind, name.replace("worker", role)) in declared, f"no {kind} for the new role"


def test_an_environment_is_added_by_a_stack_file(project: Path) -> None:
    values = dict(re.findall(r"^\| `([\w:.]+)` \| `([^`]+)` \|$", ENVIRONMENT_PAGE, re.MULTILINE))
    assert set(KEYS) <= set(values)
    path = project / "stacks/Pulumi.qa.yaml"
    shutil.copy(project / "stacks/Pulumi.dev.yaml", path)
    assert {item.message.partition(" is ")[0] for item in shared_identifiers(Project.at(project))} == set(
        KEYS
    )
    data = yaml.safe_load(path.read_text())
    for key, value in values.items():
        namespace, _, rest = key.partition(":")
        head, *parts = rest.split(".")
        tree, last = data["config"], f"{namespace}:{head}"
        for part in parts:
            tree, last = tree[last], part
        assert last in tree, key
        tree[last] = value.strip('"')
    path.write_text(yaml.safe_dump(data))
    assert shared_identifiers(Project.at(project)) == ()
    assert preview(project, "qa")["stacks"][0]["counts"]["create"] > 200
    listed = subprocess.run(
        [str(project / ".github/scripts/stacks")], capture_output=True, text=True, check=True
    )
    assert json.loads(listed.stdout) == ["dev", "staging", "qa", "prod"]
