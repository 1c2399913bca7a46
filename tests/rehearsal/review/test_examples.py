"""Kinds of pull requests: their comment, SARIF, JUnit and exit code are those that are recorded."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from rehearsal.review.formats.truncation import COMMENT_LIMIT, length
from tests.rehearsal.review.examples import EXAMPLES, FOLDER, PROGRAM, SECOND, review

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_pull_request_gets_the_recorded_review(name: str, tmp_path: Path) -> None:
    found = review(name, tmp_path)
    for file, text in found.items():
        recorded = (FOLDER / name / file).read_text()
        assert text == recorded, f"run python -m tests.rehearsal.review.examples {name} and review the change"


def comment(name: str) -> str:
    return (FOLDER / name / "comment.md").read_text()


def test_every_comment_starts_with_its_conclusion() -> None:
    """The conclusion is above the table of stacks."""
    wanted = {
        "documentation": "**Nothing changes** in any stack",
        "larger-cache": "Redis fails over",
        "over-the-ceiling": "1 mandatory finding",
        "wrong-setting": "1 stack could not be planned",
        "tls-removed": "sessions, rate limits and queued tasks are lost",
        "renamed-resource": "refused with 409",
        "new-deployment": "mandatory findings",
        "rules-disabled": "weaker than at the base",
        "name-used-twice": "archive and media have the same name in the cloud (kingdom-prod-media)",
        "stack-removed": "the stack file is deleted: the stack is no longer deployed",
        "program-fails": "2 stacks could not be planned",
        "program-repaired": "No findings",
    }
    for name, text in wanted.items():
        first = comment(name).partition("\n| stack |")[0]
        assert text in first, name
        assert length(comment(name)) < COMMENT_LIMIT / 2, name


def test_a_change_of_sizes_states_how_much_load_it_costs() -> None:
    section = comment("fewer-replicas").partition("### Capacity\n\n")[2]
    assert section.startswith("- `prod`: first limit: ")
    assert "replicas) → " in section.splitlines()[0]


def test_one_deployment_is_one_cause() -> None:
    findings = comment("new-deployment").partition("### Findings")[2].partition("\n### ")[0]
    assert len([line for line in findings.splitlines() if line.startswith("- ")]) <= 3


def test_the_same_change_in_many_resources_is_one_entry() -> None:
    text = comment("label-everywhere")
    assert "the same in 4 resources" in text
    assert text.count('`"platform"` → `"storage"`') == 1  # dev and prod change alike


def test_a_finding_and_a_wrong_setting_point_at_the_stack_file() -> None:
    for name, line in (("over-the-ceiling", 4), ("wrong-setting", 3)):
        log = json.loads((FOLDER / name / "policies.sarif").read_text())
        place = log["results"][0]["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "stacks/Pulumi.prod.yaml", name
        assert place["region"]["startLine"] in (3, line), name


def test_a_name_that_is_taken_points_at_the_resource_that_takes_it() -> None:
    log = json.loads((FOLDER / "name-used-twice" / "policies.sarif").read_text())
    place = log["results"][0]["locations"][0]["physicalLocation"]
    line = place["region"]["startLine"]
    assert (PROGRAM + SECOND).splitlines()[line - 1] == "storage.Bucket("
    assert line > len(PROGRAM.splitlines())


def test_every_failure_is_in_the_test_report() -> None:
    for name, example in EXAMPLES.items():
        root = ET.fromstring((FOLDER / name / "junit.xml").read_text())  # noqa: S314 - our own
        failed = [*root.iter("failure"), *root.iter("error")]
        assert bool(failed) == bool(example.code), name
