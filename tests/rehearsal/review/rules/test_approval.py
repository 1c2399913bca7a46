"""The status "Rules": which changes need an owner's approval, and which approvals count."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal.review.rules.approval import (
    RULE_FILES,
    Approval,
    ChangedFile,
    Decision,
    decide,
    owners_of,
    reasons_of,
)

ROOT = Path(__file__).parents[4]
OWNER = "@kingdom-studios/platform-owners"
HEAD = "a" * 40
STACK = "config:\n  gcp:project: kingdom-prod\n  policies:monthlyCeiling: '10000'\n"

WAYS = {
    "a rule is removed": ChangedFile("policies/rules/identity.py", "a = 1", ""),
    "the tool reports less": ChangedFile("rehearsal/review/formats/sarif.py", "a = 1", "a = 2"),
    "the workflow does not run it": ChangedFile(".github/workflows/preview.yml", "a: 1", "a: 2"),
    "a rule is moved away": ChangedFile("docs/old.py", "", "a = 1", previous="policies/rules/tls.py"),
    "another folder of stacks": ChangedFile("Pulumi.yaml", "main: infra", "main: infra\nstackConfigDir: x"),
    "all rules are disabled": ChangedFile(
        "stacks/Pulumi.prod.yaml", STACK, STACK + "  policies:config: {all: disabled}\n"
    ),
    "the ceiling is raised": ChangedFile("stacks/Pulumi.prod.yaml", STACK, STACK.replace("10000", "99999")),
    "the ceiling is removed": ChangedFile("stacks/Pulumi.prod.yaml", STACK, "config: {}\n"),
    "a new stack without rules": ChangedFile(
        "stacks/Pulumi.qa.yaml", "", STACK + "  policies:config: {all: disabled}\n"
    ),
    "a stack file in another folder": ChangedFile(
        "environments/Pulumi.prod.yaml", STACK, STACK.replace("10000", "99999"), "stacks/Pulumi.prod.yaml"
    ),
    "an unreadable stack file": ChangedFile("stacks/Pulumi.prod.yaml", STACK, "config: [\n"),
    "the program ends the process": ChangedFile("infra/cache.py", "", "import os\nos._exit(0)\n"),
    "the program changes the tool": ChangedFile("infra/cache.py", "", "import rehearsal.policy.pack as a\n"),
    "the program finds the tool": ChangedFile("infra/cache.py", "", "import sys\nsys.modules['x']\n"),
}
HARMLESS = {
    "a setting": ChangedFile("stacks/Pulumi.prod.yaml", STACK, STACK.replace("kingdom-prod", "kingdom-two")),
    "a new stack with a ceiling": ChangedFile("stacks/Pulumi.qa.yaml", "", STACK),
    "a resource": ChangedFile("infra/cache.py", "a = 1\n", "import os\na = 2\n"),
    "the service": ChangedFile("app/server.py", "", "import importlib\n"),
    "a page": ChangedFile("docs/api.md"),
}


@pytest.mark.parametrize("file", WAYS.values(), ids=WAYS)
def test_a_change_of_the_rules_requires_an_owner_on_the_newest_commit(file: ChangedFile) -> None:
    approved = [Approval(HEAD, ("@someone", OWNER))]
    assert decide([file], [], [OWNER], HEAD, "author").state == "failure"
    assert decide([file], [Approval(HEAD, ("@someone",))], [OWNER], HEAD, "author").state == "failure"
    assert decide([file], [Approval("b" * 40, (OWNER,))], [OWNER], HEAD, "author").state == "failure"
    assert decide([file], approved, [OWNER], HEAD, "author").state == "success"


@pytest.mark.parametrize("file", HARMLESS.values(), ids=HARMLESS)
def test_other_changes_require_no_approval(file: ChangedFile) -> None:
    assert list(reasons_of(file)) == []
    assert decide([file], [], [OWNER], HEAD, "author") == Decision("success", "no rule is changed")


def test_an_author_who_is_an_owner_does_not_approve_the_own_change() -> None:
    file = WAYS["a rule is removed"]
    assert decide([file], [Approval(HEAD, ("@Author",))], ["@author"], HEAD, "Author").state == "failure"


def test_more_files_than_github_lists_need_an_owner() -> None:
    assert decide([HARMLESS["a page"]] * 3_000, [], [OWNER], HEAD, "author").state == "failure"


def test_every_file_that_judges_has_owners() -> None:
    text = (ROOT / ".github/CODEOWNERS").read_text()
    for path in RULE_FILES:
        assert owners_of(text, path + "x" if path.endswith("/") else path) == (OWNER,), path
        assert (ROOT / path).exists(), path
    assert owners_of(text, "docs/api.md") == ("@kingdom-studios/platform",)
    assert owners_of("*.py @a\n/docs/ @b # why\n", "docs/x.py") == ("@b",)
    assert owners_of("*.py @a\n", "infra/x.py") == ("@a",)


def test_today_s_program_reaches_into_nothing() -> None:
    for path in sorted((ROOT / "infra").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        assert list(reasons_of(ChangedFile(name, "", path.read_text()))) == [], name


GH = """\
import json, pathlib, sys
arguments = sys.argv[2:]
log = pathlib.Path(__file__).with_name("calls")
with log.open("a") as file:
    file.write(json.dumps(arguments) + "\\n")
path = arguments[0].partition("repos/kingdom-studios/platform/")[2]
pull = {"number": 7, "head": {"sha": "HEAD"}, "base": {"sha": "b"}, "user": {"login": "author"}}
if path.startswith("pulls?"):
    print(json.dumps([[pull]]))
elif path.startswith("compare/"):
    print(json.dumps({"merge_base_commit": {"sha": "m"}}))
elif path == "pulls/7/files":
    print(json.dumps([[{"filename": "stacks/Pulumi.prod.yaml", "status": "modified"}]]))
elif path.startswith("contents/"):
    print("config: {'policies:monthlyCeiling': '%s'}" % path.partition("ref=")[2])
elif arguments[0] == "graphql":
    review = {"state": "APPROVED", "commit": {"oid": "HEAD"}, "author": {"login": "someone"},
              "onBehalfOf": {"nodes": [{"combinedSlug": "kingdom-studios/platform-owners"}]}}
    dismissed = review | {"state": "DISMISSED"}
    comment = review | {"state": "COMMENTED"}
    nodes = {"approved": [review, comment], "dismissed": [review, dismissed]}[CASE]
    print(json.dumps({"data": {"repository": {"pullRequest": {"reviews": {"nodes": nodes}}}}}))
else:
    print("{}")
"""


@pytest.mark.parametrize(("case", "state"), [("approved", "success"), ("dismissed", "failure")])
def test_the_status_is_set_by_the_approvals_that_stand(tmp_path: Path, case: str, state: str) -> None:
    (tmp_path / "gh.py").write_text(GH.replace("HEAD", HEAD).replace("CASE", repr(case)))
    gh = tmp_path / "gh"
    gh.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/gh.py "$@"\n')
    gh.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_REPOSITORY": "kingdom-studios/platform",
        "EVENT": "pull_request",
        "SHA": HEAD,
        "OWNER": "someone",
        "BRANCH": "change",
    }
    done = subprocess.run(
        [sys.executable, "-m", "rehearsal.review.rules.approval"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    (status,) = [call for call in calls if "/statuses/" in call[0]]
    assert status[0].endswith(HEAD)
    assert f"state={state}" in status
    assert "context=Rules" in status
