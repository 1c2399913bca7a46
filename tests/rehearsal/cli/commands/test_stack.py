"""`kingdom up`, `refresh` and `down` of a whole project: output, exit codes, and what is recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.rehearsal.minimal import Tiny

pytestmark = pytest.mark.slow


def test_stack_is_brought_up_refreshed_and_taken_down(tmp_path: Path) -> None:
    project = Tiny.make(tmp_path)
    up = project.run("up", "--json")
    assert up.returncode == 0, up.stderr
    data = json.loads(up.stdout)
    assert data["ok"] is True
    assert data["counts"]["create"] >= 2
    # No process of this project runs on the machine.
    assert "machine" not in data
    again = project.run("up")
    assert again.returncode == 0
    assert "planned" not in again.stderr
    assert "up in " in again.stdout
    refreshed = json.loads(project.run("refresh", "--json").stdout)
    assert (refreshed["ok"], set(refreshed["counts"])) == (True, {"same"})
    down = project.run("down", "--json")
    assert (down.returncode, json.loads(down.stdout)["counts"]["delete"]) == (0, data["counts"]["create"])
    assert "local: there is nothing to delete" in project.run("down").stdout


def test_former_state_must_be_an_export_and_belongs_to_a_fresh_project(tmp_path: Path) -> None:
    project = Tiny.make(tmp_path)
    former = tmp_path / "former.json"
    former.write_text('{"version": 3, "deployment": {}}')
    alone = project.run("up", "--former-state", str(former))
    assert (alone.returncode, "is for --fresh-project" in alone.stderr) == (2, True)
    absent = project.run("up", "--fresh-project", "--former-state", str(tmp_path / "absent"))
    assert (absent.returncode, "cannot be read" in absent.stderr) == (2, True)
    former.write_text("[]")
    malformed = project.run("up", "--fresh-project", "--former-state", str(former))
    assert (malformed.returncode, "is not an exported state" in malformed.stderr) == (2, True)
    assert not project.state.exists()


def test_plan_that_differs_from_the_expected_one_changes_nothing(tmp_path: Path) -> None:
    project = Tiny.make(tmp_path)
    assert project.run("preview", "--save-plan", "plan.json").returncode == 0
    project.stack.write_text("config:\n  tiny:words: 3\n")
    refused = project.run("up", "--expect-plan", "plan.json")
    assert refused.returncode not in {0, 3}
    assert "word" in refused.stderr + refused.stdout
    assert not project.state.exists()
    project.stack.write_text("config:\n  tiny:words: 2\n")
    assert project.run("up", "--expect-plan", "plan.json").returncode == 0


def test_mandatory_violation_stops_an_update_before_anything_is_created(tmp_path: Path) -> None:
    project = Tiny.make(tmp_path)
    text = project.pack.read_text()
    project.pack.write_text(text.replace("    pass", '    report("words must be long")'))
    refused = project.run("up")
    assert refused.returncode == 3
    assert "words must be long" in refused.stdout + refused.stderr
    assert "refused: nothing was created or changed" in refused.stderr
    assert project.run("outputs").returncode == 1
    assert json.loads(project.run("up", "--json").stdout)["ok"] is False
    # Without the pack it is created.
    assert project.run("up", "--policy-pack", "none").returncode == 0


def test_targets_are_updated_and_deleted_and_the_rest_stays(tmp_path: Path) -> None:
    project = Tiny.make(tmp_path)
    word = ("--target", "**::word")
    assert project.run("up", *word).returncode == 0
    recorded = [item["urn"].rpartition("::")[2] for item in _resources(project)]
    assert "word" in recorded
    assert "secret" not in recorded
    assert project.run("up").returncode == 0
    replaced = json.loads(project.run("up", "--replace", "**::word", "--json").stdout)
    assert replaced["counts"]["replace"] == 1
    assert json.loads(project.run("refresh", *word, "--json").stdout)["counts"] == {"same": 1}
    assert json.loads(project.run("down", *word, "--json").stdout)["counts"]["delete"] == 1
    assert "secret" in [item["urn"].rpartition("::")[2] for item in _resources(project)]
    assert project.run("down", "--exclude-protected").returncode == 0
    assert not project.state.exists()
    refused = project.run("down", "--exclude-protected", "--unprotect")
    assert refused.returncode == 2
    assert "--exclude-protected cannot be used with" in refused.stderr


def _resources(project: Tiny) -> list[dict[str, str]]:
    return json.loads(project.state.read_text())["deployment"]["resources"]


def test_project_may_refresh_before_each_operation(tmp_path: Path) -> None:
    project = Tiny.make(tmp_path)
    file = tmp_path / "Pulumi.yaml"
    file.write_text(file.read_text() + "options: {refresh: always}\n")
    for command in (("up",), ("preview",), ("preview", "--no-refresh"), ("down",)):
        assert project.run(*command).returncode == 0, command
