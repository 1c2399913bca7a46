"""The status "Rules": which changes need an owner's approval, and which approvals count."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal.review.rules.approval import (
    Approval,
    Decision,
    decide,
    owners_of,
)
from rehearsal.review.rules.reasons import ChangedFile, reasons_of
from tests.repository._tree import name, tracked

ROOT = Path(__file__).parents[4]
OWNER = "@kingdom-studios/platform-owners"
HEAD = "a" * 40
RULE = ChangedFile("policies/rules/identity.py", "a = 1", "")
PAGE = ChangedFile("docs/api.md")


def test_a_change_of_the_rules_requires_an_owner_on_the_newest_commit() -> None:
    approved = [Approval(HEAD, ("@someone", OWNER))]
    assert decide([RULE], [], [OWNER], HEAD, "author").state == "failure"
    assert decide([RULE], [Approval(HEAD, ("@someone",))], [OWNER], HEAD, "author").state == "failure"
    assert decide([RULE], [Approval("b" * 40, (OWNER,))], [OWNER], HEAD, "author").state == "failure"
    assert decide([RULE], approved, [OWNER], HEAD, "author").state == "success"
    assert decide([PAGE], [], [OWNER], HEAD, "author") == Decision("success", "no rule is changed")


def test_an_author_who_is_an_owner_does_not_approve_the_own_change() -> None:
    file = RULE
    assert decide([file], [Approval(HEAD, ("@Author",))], ["@author"], HEAD, "Author").state == "failure"


def test_more_files_than_github_lists_need_an_owner() -> None:
    assert decide([PAGE] * 3_000, [], [OWNER], HEAD, "author").state == "failure"


def test_exactly_the_files_that_need_an_owner_are_owned_by_one() -> None:
    """Branch protection and the status "Rules" agree, file by file."""
    text = (ROOT / ".github/CODEOWNERS").read_text()
    others = [".venv/bin/kingdom", "sitecustomize.py", "setup.py", "uv.toml", "new/x.py"]
    for path in [*(name(path) for path in tracked()), *others]:
        owned = owners_of(text, path) == (OWNER,)
        needed = any(reason == f"{path} is changed" for reason in reasons_of(ChangedFile(path)))
        # Production's declaration has the same owners, for another reason.
        assert owned == (needed or path.startswith("infra/") or path == "stacks/Pulumi.prod.yaml"), path
    assert owners_of("*.py @a\n/docs/ @b # why\n", "docs/x.py") == ("@b",)
    assert owners_of("*.py @a\n", "infra/x.py") == ("@a",)


GH = """\
import json, pathlib, sys
arguments = sys.argv[2:]
log = pathlib.Path(__file__).with_name("calls")
with log.open("a") as file:
    file.write(json.dumps(arguments) + "\\n")
path = arguments[0].partition("repos/kingdom-studios/platform/")[2]
pull = {"number": 7, "head": {"sha": "HEAD"}, "base": {"sha": "b", "ref": "main"},
        "user": {"login": "author"}}
if path.startswith("pulls?"):
    assert "base=main&" in path
    print(json.dumps([[pull]]))
elif path.startswith("compare/"):
    print(json.dumps({"merge_base_commit": {"sha": "m"}}))
elif path == "commits/HEAD/pulls":
    other = pull | {"number": 8, "base": {"ref": "other"}, "head": {"sha": "HEAD"}}
    print(json.dumps([[pull, other] if CASE == "another base" else [pull]]))
elif path.startswith("git/trees/HEAD?"):
    link = {"path": "stacks/Pulumi.prod.yaml", "mode": "120000"}
    print(json.dumps({"truncated": False, "tree": [link] if CASE == "a link" else []}))
elif path == "pulls/7/files":
    name = "stacks/Pulumi.prod.yaml" if CASE in ("approved", "dismissed") else "docs/api.md"
    print(json.dumps([[{"filename": name, "status": "modified"}]]))
elif path.startswith("contents/"):
    print("config: {'policies:monthlyCeiling': '%s'}" % path.partition("ref=")[2])
elif arguments[0] == "graphql":
    review = {"state": "APPROVED", "commit": {"oid": "HEAD"}, "author": {"login": "someone"},
              "onBehalfOf": {"nodes": [{"combinedSlug": "kingdom-studios/platform-owners"}]}}
    dismissed = review | {"state": "DISMISSED"}
    comment = review | {"state": "COMMENTED"}
    nodes = {"approved": [review, comment], "dismissed": [review, dismissed]}.get(CASE, [])
    print(json.dumps({"data": {"repository": {"pullRequest": {"reviews": {"nodes": nodes}}}}}))
else:
    print("{}")
"""


@pytest.mark.parametrize(
    ("case", "state", "text"),
    [
        ("approved", "success", "approved the changed rules"),
        ("dismissed", "failure", "policies:monthlyCeiling is changed"),
        ("a page", "success", "no rule is changed"),
        ("another base", "failure", "#8 has the same commit and is for the branch other"),
        ("a link", "failure", "stacks/Pulumi.prod.yaml is a symbolic link"),
    ],
)
def test_the_status_is_set_by_the_approvals_that_stand(
    tmp_path: Path, case: str, state: str, text: str
) -> None:
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
        "BASE": "main",
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
    assert text in status[-1]
