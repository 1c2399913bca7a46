"""A pull request that weakens the rules that evaluate it is reported, for each way to weaken them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from rehearsal.review.rules.weakened import RuleSet
from tests.rehearsal.review.repositories import Repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[4]
RULE = "no-public-members"
PROGRAM = """\
from pulumi_gcp import storage

storage.BucketIAMMember(
    "readers", bucket="media", role="roles/storage.objectViewer", member="group:readers@example.org"
)
"""
PUBLIC = PROGRAM.replace("group:readers@example.org", "allUsers")
STACK = 'config:\n  gcp:project: kingdom-{0}\n  policies:monthlyCeiling: "1000"\n'


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository", ())
    shutil.copytree(ROOT / "policies", made.root / "policies", ignore=shutil.ignore_patterns("__pycache__"))
    made.write("infra/__main__.py", PROGRAM)
    made.write("stacks/Pulumi.prod.yaml", STACK.format("prod"))
    made.commit("a bucket for readers")
    return made


def configured(repository: Repository) -> None:
    repository.write("stacks/Pulumi.prod.yaml", STACK.format("prod") + "  policies:config: {all: disabled}\n")


def edited(repository: Repository, pattern: str, by: str) -> None:
    """Replaces the only match of `pattern` in the pack's modules."""
    for path in sorted((repository.root / "policies").rglob("*.py")):
        text, count = re.subn(pattern, by, path.read_text())
        if count:
            assert count == 1, path
            path.write_text(text)
            return
    raise AssertionError(f"no module of the pack has {pattern}")


def rule_removed(repository: Repository) -> None:
    edited(
        repository,
        r"(?m)^RULES: Final\[tuple\[Rule, \.\.\.\]\] = .*$",
        rf'\g<0>\nRULES = tuple(rule for rule in RULES if rule.name != "{RULE}")',
    )


def level_lowered(repository: Repository) -> None:
    edited(
        repository,
        rf'(?m)^    "{RULE}",\n(?:    ".*"\n)*    ".*",$',
        r"\g<0>\n    level=EnforcementLevel.DISABLED,",
    )
    edited(
        repository,
        r"(?m)^from pulumi_policy import Severity\n(?=(?:.*\n)*def no_public_members)",
        "from pulumi_policy import EnforcementLevel, Severity\n",
    )


def check_emptied(repository: Repository) -> None:
    edited(repository, r"(?m)^def no_public_members\(.*:$", r"\g<0>\n    return")


def stack_renamed(repository: Repository) -> None:
    configured(repository)
    repository.git("mv", "stacks/Pulumi.prod.yaml", "stacks/Pulumi.production.yaml")


def stacks_moved(repository: Repository) -> None:
    configured(repository)
    repository.git("mv", "stacks", "environments")
    text = (repository.root / "Pulumi.yaml").read_text()
    repository.write("Pulumi.yaml", text.replace("stackConfigDir: stacks", "stackConfigDir: environments"))


WAYS: dict[Callable[[Repository], None], set[str]] = {
    configured: {"disabled"},
    rule_removed: {"removed"},
    level_lowered: {"disabled"},
    check_emptied: set(),  # the rule is listed by what only the base's rule finds
    stack_renamed: {"disabled"},
    stacks_moved: {"disabled"},
}


def review(repository: Repository) -> tuple[int, dict[str, Any]]:
    """The exit code, and the review in every format."""
    forms = {"markdown": "comment.md", "sarif": "policies.sarif", "junit": "junit.xml", "json": "review.json"}
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("kingdom")), "preview", "--all", "--base", "HEAD~1",
            *(text for form, name in forms.items() for text in ("--write", f"{form}=.rehearsal/{name}")),
        ],
        cwd=repository.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )  # fmt: skip
    found = {form: (repository.root / ".rehearsal" / name).read_text() for form, name in forms.items()}
    return done.returncode, {**found, "text": done.stdout, "errors": done.stderr}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_base_rules_are_evaluated_too(repository: Repository, way: Callable[[Repository], None]) -> None:
    (repository.root / ".rehearsal").mkdir()
    repository.write("infra/__main__.py", PUBLIC)
    way(repository)
    repository.commit("a public bucket, and a rule less")
    code, found = review(repository)
    assert code == 4, found["errors"]
    data = json.loads(found["json"])
    assert {item["kind"] for item in data["ruleChanges"] if item["rule"] == RULE} == WAYS[way]
    assert [(item["policy"], item["level"]) for item in data["withheld"]] == [(RULE, "mandatory")]
    assert data["findings"] == []
    comment = found["comment"] if "comment" in found else found["markdown"]
    first = comment.partition("### Rules that are weaker than at the base")
    assert "weaker than at the base**" in first[0]
    assert "No findings" not in comment
    assert f"`{RULE}`" in first[2].partition("\n| stack |")[0]
    assert f"the base's rules find mandatory {RULE}" in found["text"]
    (run,) = json.loads(found["sarif"])["runs"]
    assert any(
        RULE in item["message"]["text"] for item in run["invocations"][0]["toolExecutionNotifications"]
    )
    suite = ET.fromstring(found["junit"]).find("testsuite[@name='rules']")  # noqa: S314 - our own
    assert suite is not None
    assert RULE in {case.get("name") for case in suite}


def test_a_stricter_rule_is_not_a_weaker_one(repository: Repository) -> None:
    (repository.root / ".rehearsal").mkdir()
    repository.write(
        "stacks/Pulumi.prod.yaml", STACK.format("prod") + f"  policies:config: {{{RULE}: remediate}}\n"
    )
    repository.commit("stricter")
    code, found = review(repository)
    assert code == 0, found["errors"]
    assert json.loads(found["json"])["ruleChanges"] == []


def test_a_virtual_environment_inside_the_pack_does_not_change_its_digest(repository: Repository) -> None:
    pack = RuleSet(repository.root / "policies", {})
    before = pack.digest()
    repository.write("policies/venv/pyvenv.cfg", "")
    repository.write("policies/venv/bin/activate_this.py", "")
    assert pack.digest() == before
    repository.write("policies/another.py", "")
    assert pack.digest() != before


def test_a_base_pack_that_does_not_start_is_named_and_does_not_fail_its_repair(
    repository: Repository,
) -> None:
    (repository.root / ".rehearsal").mkdir()
    path = repository.root / "policies/__main__.py"
    text = path.read_text()
    path.write_text("import nowhere\n" + text)
    repository.commit("broken pack")
    path.write_text(text)
    repository.commit("repaired pack")
    code, found = review(repository)
    assert code == 4, found["errors"]
    changes = json.loads(found["json"])["ruleChanges"]
    assert [(item["kind"], item["before"]) for item in changes] == [("pack", None)]
    assert "does not start" in found["markdown"]
