"""Reviews of git repositories: their steps are those of an engine, and every failure is reported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from rehearsal.pulumi.project import Project
from rehearsal.review.review import review
from tests.rehearsal.review.repositories import PROGRAM, Repository

pytestmark = pytest.mark.slow

PACK = """\
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def short(args, report):
    if args.resource_type.endswith("RandomPet") and args.props["length"] > 2:
        report(f"length: {args.props['length']} words are too many")

PolicyPack("tiny", policies=[ResourceValidationPolicy(
    name="short-names", description="Names are short.", validate=short,
    enforcement_level=EnforcementLevel.MANDATORY)])
"""


def kingdom(repository: Repository, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("kingdom")), *arguments],
        cwd=repository.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


def report(repository: Repository, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = kingdom(repository, "preview", *arguments, "--format", "json")
    assert done.returncode == code, done.stdout + done.stderr
    data: dict[str, Any] = json.loads(done.stdout)
    assert data["exitCode"] == code
    assert repository.worktrees() == []
    assert repository.leftovers() == []
    return data


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository", ("dev", "prod"))
    made.write("policies/PulumiPolicy.yaml", "description: tiny\nruntime: python\nversion: 0.0.1\n")
    made.write("policies/__main__.py", PACK)
    made.commit("a pack")
    return made


def test_review_against_its_own_commit_is_unchanged(repository: Repository) -> None:
    data = report(repository, "--all", "--base", "HEAD")
    assert [item["status"] for item in data["stacks"]] == ["unchanged", "unchanged"]
    assert data["head"] == {"commit": data["base"]["commit"], "dirty": False}
    text = kingdom(repository, "preview", "--all", "--base", "HEAD", "--format", "markdown").stdout
    assert "**Nothing changes** in any stack" in text


def test_in_a_project_of_one_folder_only_source_files_are_the_program(tmp_path: Path) -> None:
    repository = Repository(tmp_path, ())
    repository.git("rm", "-r", "--quiet", "infra")
    repository.write("Pulumi.yaml", "name: tiny\nruntime: python\n")
    repository.write("__main__.py", PROGRAM)
    repository.write("Pulumi.dev.yaml", "config: {tiny:count: 1}\n")
    repository.write(".gitignore", "venv/\n.rehearsal/\n__pycache__/\n")
    repository.commit("one folder")
    repository.write("venv/pyvenv.cfg", "")
    repository.write("venv/bin/activate_this.py", "")
    repository.write("Pulumi.dev.yaml", "config: {tiny:count: 2}\n")
    project = Project.find(tmp_path)
    found = review(project, [], policies=None, ref="HEAD")
    assert [item.status.value for item in found.stacks] == ["changed"]
    assert not found.program_changed
    repository.write("__main__.py", PROGRAM + "\n")
    assert review(project, [], policies=None, ref="HEAD").program_changed


def test_every_kind_of_change_of_a_stack_is_reported(repository: Repository) -> None:
    repository.stack("dev", count=1)
    repository.git("mv", "stacks/Pulumi.prod.yaml", "stacks/Pulumi.staging.yaml")
    repository.write(
        "infra/__main__.py", (repository.root / "infra/__main__.py").read_text().replace("pet-", "animal-")
    )
    repository.commit("changes")
    data = report(repository, "--all", "--base", "HEAD~1")
    stacks = {item["stack"]: item for item in data["stacks"]}
    assert {name: item["status"] for name, item in stacks.items()} == {
        "dev": "changed",
        "staging": "new",
        "prod": "removed",
    }
    assert stacks["dev"]["counts"] == {"create": 1, "delete": 2}
    assert stacks["staging"]["counts"] == {"create": 2}
    assert {change["source"] for change in stacks["staging"]["changes"]} == {"infra/__main__.py:6"}


def test_property_that_forces_a_replacement_is_marked(repository: Repository) -> None:
    program = (repository.root / "infra/__main__.py").read_text()
    repository.write("infra/__main__.py", program.replace("length=2", "length=1"))
    data = report(repository, "--stack", "dev", "--base", "HEAD")
    assert data["head"]["dirty"] is True
    (stack,) = data["stacks"]
    assert stack["counts"] == {"replace": 2}
    (change,) = stack["changes"][0]["changes"]
    assert (change["path"], change["old"], change["new"], change["replaces"]) == ("length", 2, 1, True)


PROTECTED = """\
import pulumi
import pulumi_random as random

keep = pulumi.ResourceOptions(protect=True)
random.RandomPet("gone", length=2, opts=keep)
random.RandomPet("made-anew", length=2, opts=keep)
"""


def test_plan_that_deletes_protected_resources_is_shown_completely_and_refused(
    repository: Repository,
) -> None:
    program = (repository.root / "infra/__main__.py").read_text()
    repository.write("infra/__main__.py", PROTECTED)
    repository.commit("protected")
    changed = PROTECTED.replace('"made-anew", length=2', '"made-anew", length=1')
    repository.write("infra/__main__.py", changed.replace('"gone"', '"new"'))
    data = report(repository, "--stack", "dev", "--base", "HEAD", code=1)
    (stack,) = data["stacks"]
    assert (stack["status"], stack["error"]) == ("refused", None)
    assert stack["counts"] == {"create": 1, "replace": 1, "delete": 1}
    assert [(item["name"], item["source"]) for item in stack["protected"]] == [
        ("gone", "infra/__main__.py:5"),
        ("made-anew", "infra/__main__.py:6"),
    ]
    text = kingdom(repository, "preview", "--stack", "dev", "--base", "HEAD", "--format", "markdown").stdout
    assert "❌ **1 stack would be refused**" in text
    assert "`gone` random:index/randomPet:RandomPet in `dev`: it is protected and would be deleted" in text
    junit = kingdom(repository, "preview", "--stack", "dev", "--base", "HEAD", "--format", "junit")
    (plan,) = ET.fromstring(junit.stdout).iter("failure")  # noqa: S314 - our own
    assert plan.get("type") == "protected"
    repository.write("infra/__main__.py", program)
    repository.commit("from before there was anything protected")
    assert report(repository, "--all", "--base", "HEAD~1", code=1)["stacks"][0]["status"] == "refused"


def test_a_mandatory_finding_is_exit_code_3_and_in_every_format(repository: Repository) -> None:
    program = (repository.root / "infra/__main__.py").read_text()
    repository.write("infra/__main__.py", program.replace("length=2", "length=7"))
    data = report(repository, "--all", "--base", "HEAD", code=3)
    assert [(item["policy"], item["level"], item["stacks"]) for item in data["findings"]] == [
        ("short-names", "mandatory", ["dev", "prod"])
    ] * 2
    sarif = kingdom(repository, "preview", "--all", "--format", "sarif")
    assert sarif.returncode == 3
    results = json.loads(sarif.stdout)["runs"][0]["results"]
    place = results[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "infra/__main__.py"
    assert place["region"]["startLine"] == 6
    junit = kingdom(repository, "preview", "--all", "--format", "junit")
    assert junit.returncode == 3
    suites = ET.fromstring(junit.stdout).findall("testsuite")  # noqa: S314 - our own
    assert [(suite.get("name"), suite.get("failures")) for suite in suites] == [("dev", "1"), ("prod", "1")]


def test_a_program_that_fails_is_in_the_comment_and_hides_no_other_stack(repository: Repository) -> None:
    repository.write("stacks/Pulumi.dev.yaml", 'config:\n  tiny:count: "many"\n')
    done = kingdom(repository, "preview", "--all", "--base", "HEAD", "--format", "markdown")
    assert done.returncode == 1
    assert "❌ **1 stack could not be planned**" in done.stdout
    assert "infra/__main__.py:5: the program raised ValueError" in done.stdout
    assert "| `prod` | unchanged |" in done.stdout


def test_the_same_failure_of_several_stacks_is_shown_once(repository: Repository) -> None:
    repository.write("infra/__main__.py", "import nowhere\n")
    done = kingdom(repository, "preview", "--all", "--base", "HEAD", "--format", "markdown")
    assert done.stdout.count("No module named 'nowhere'") == 1
    assert "`prod`, `dev`" in done.stdout.partition("### Failed")[2]


def test_a_stack_that_is_removed_or_no_longer_deployed_is_the_first_line(repository: Repository) -> None:
    repository.git("rm", "--quiet", "stacks/Pulumi.prod.yaml")
    path = repository.root / "stacks/Pulumi.dev.yaml"
    path.write_text(path.read_text() + "  rehearsal:machine: {edgePort: 8444}\n")
    text = kingdom(repository, "preview", "--all", "--base", "HEAD", "--format", "markdown").stdout
    first, _, rest = text.partition("\n| stack |")
    assert "✅" not in first
    assert "`prod`: the stack file is deleted" in first
    assert "`dev`: rehearsal:machine is set: the stack is no longer deployed" in first
    assert "### Capacity" not in rest
    assert "### Costs" not in rest


def test_a_base_that_cannot_be_planned_does_not_fail_the_change_that_repairs_it(
    repository: Repository,
) -> None:
    program = (repository.root / "infra/__main__.py").read_text()
    repository.write("infra/__main__.py", "import nowhere\n")
    repository.commit("broken")
    repository.write("infra/__main__.py", program)
    repository.commit("mended")
    data = report(repository, "--all", "--base", "HEAD~1")
    assert {item["status"] for item in data["stacks"]} == {"not compared"}
    assert all("nowhere" in item["baseError"] for item in data["stacks"])
    assert all(item["counts"] == {"create": 2} for item in data["stacks"])
    text = kingdom(repository, "preview", "--all", "--base", "HEAD~1", "--format", "markdown").stdout
    assert "### Not compared: the base cannot be planned" in text


def test_a_base_without_a_project_does_not_fail_the_change_that_adds_it(repository: Repository) -> None:
    repository.git("mv", "Pulumi.yaml", "Other.yaml")
    repository.commit("no project")
    repository.git("mv", "Other.yaml", "Pulumi.yaml")
    repository.commit("a project again")
    data = report(repository, "--all", "--base", "HEAD~1")
    assert {item["status"] for item in data["stacks"]} == {"not compared"}
    assert all("Pulumi.yaml cannot be read" in item["baseError"] for item in data["stacks"])


def test_the_change_is_named_by_its_own_commit_and_compared_with_the_first_parent(
    repository: Repository,
) -> None:
    repository.git("checkout", "--quiet", "-b", "change")
    repository.stack("dev", count=3)
    head = repository.commit("the change")
    repository.git("checkout", "--quiet", "main")
    repository.stack("prod", count=5)
    repository.commit("of someone else")
    repository.git(
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.org",
        "merge",
        "--quiet",
        "--no-ff",
        "-m",
        "m",
        "change",
    )
    data = report(repository, "--all", "--base", "HEAD^1", "--head", head)
    assert data["head"]["commit"] == head
    assert {item["stack"]: item["status"] for item in data["stacks"]} == {
        "dev": "changed",
        "prod": "unchanged",
    }
    repository.git("checkout", "--quiet", "-b", "unrelated", "HEAD~1")
    repository.stack("dev", count=9)
    other = repository.commit("not merged")
    repository.git("checkout", "--quiet", "main")
    done = kingdom(repository, "preview", "--all", "--base", "HEAD^1", "--head", other)
    assert done.returncode == 2
    assert "is not part of what is checked out" in done.stderr


@pytest.mark.parametrize("format_", ["markdown", "json", "sarif", "junit", "text"])
def test_an_unknown_base_fails_in_every_format(repository: Repository, format_: str) -> None:
    done = kingdom(repository, "preview", "--all", "--base", "no-such", "--format", format_)
    assert done.returncode == 2
    assert "the base 'no-such' is not a commit" in done.stderr
    assert "Traceback" not in done.stderr
    assert format_ == "text" or "no-such" in done.stdout
    assert repository.worktrees() == []


def test_an_unknown_format_is_refused(repository: Repository) -> None:
    done = kingdom(repository, "preview", "--all", "--format", "yaml")
    assert done.returncode == 2
    assert "--format is one of text, markdown, json, sarif, junit" in done.stderr


def test_up_carries_out_the_reviewed_plan_and_no_other(repository: Repository) -> None:
    saved = kingdom(repository, "preview", "--stack", "dev", "--save-plan", "plan.json", "--json")
    assert saved.returncode == 0, saved.stderr
    digest = json.loads(saved.stdout)["digest"]
    assert json.loads((repository.root / "plan.json").read_text())["digest"] == digest
    repository.stack("dev", count=3)
    refused = kingdom(repository, "up", "--stack", "dev", "--expect-plan", "plan.json")
    assert refused.returncode == 1
    assert "create pet-2 (random:index/randomPet:RandomPet): was not in the reviewed plan" in refused.stderr
    assert json.loads(kingdom(repository, "status", "--stack", "dev", "--json").stdout)["resources"] == 0
    refused = kingdom(repository, "up", "--stack", "dev", "--expect-plan", digest)
    assert refused.returncode == 1
    assert "is not the one that was reviewed" in refused.stderr
    repository.stack("dev", count=2)
    done = kingdom(repository, "up", "--stack", "dev", "--expect-plan", digest)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", ["sha256:1234", "nowhere.json", "Pulumi.yaml"])
def test_an_expected_plan_that_is_not_a_digest_or_file_is_refused(repository: Repository, text: str) -> None:
    done = kingdom(repository, "up", "--stack", "dev", "--expect-plan", text)
    assert done.returncode == 2
    assert "plan" in done.stderr
    assert "Traceback" not in done.stderr
