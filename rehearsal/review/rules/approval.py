"""Require an approval for changes of the rules that evaluate pull requests: the status "Rules".

    python -m rehearsal.review.rules.approval

Runs in the workflow rules.yml, from the default branch, and reads the pull request through GitHub's API.
A change of the policy pack, of the tool that plans and reviews, of the workflows, of a stack's ``policies:``
keys, or a program that reaches into the tool while it is planned, needs the approval of a code owner of
``policies/`` on the newest commit.
"""

from __future__ import annotations

import ast
import fnmatch
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

CONTEXT: Final = "Rules"
# The files that decide what is found, and how it is reported.
RULE_FILES: Final = (
    "policies/",
    "rehearsal/",
    ".github/",
    ".ci/",
    "locks/",
    "Makefile",
    "Pulumi.yaml",
    "pyproject.toml",
)
_STACK_FILE: Final = re.compile(r"(?:.*/)?Pulumi\.[^/]+\.ya?ml")
_NAMESPACE: Final = "policies:"
_RELAXING: Final = "policies:config"
# The program runs in the process that plans it. With these it could change what that process reports.
_PACKAGES: Final = frozenset({"rehearsal", "policies", "importlib", "ctypes", "gc", "inspect", "builtins"})
_NAMES: Final = frozenset({"__import__", "eval", "exec", "compile", "globals", "setattr", "vars"})
_ATTRIBUTES: Final = frozenset({"_exit", "modules", "settrace", "setprofile", "meta_path", "__globals__"})
_MAX_FILES: Final = 3_000  # GitHub lists no more files of a pull request
_MAX_DESCRIPTION: Final = 140  # characters of a commit status


@dataclass(frozen=True)
class ChangedFile:
    """One file of a pull request: its text before and after, "" where there is none."""

    path: str
    before: str = ""
    after: str = ""
    previous: str = ""  # its path at the base, where it was renamed


@dataclass(frozen=True)
class Approval:
    """A review that approves `commit` for the user and the teams `owners`, each with its ``@``."""

    commit: str
    owners: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """`state` and `description` of the status, and why."""

    state: str
    description: str
    reasons: tuple[str, ...] = ()


def decide(
    files: Sequence[ChangedFile],
    approvals: Iterable[Approval],
    owners: Iterable[str],
    head: str,
    author: str,
) -> Decision:
    """The status for a pull request of `author` at the commit `head`. `owners` are those of ``policies/``.

    An author cannot approve the own change.
    """
    reasons = tuple(dict.fromkeys(reason for file in files for reason in reasons_of(file)))
    if len(files) >= _MAX_FILES:
        reasons = (f"{len(files)} files are changed, more than GitHub lists", *reasons)
    if not reasons:
        return Decision("success", "no rule is changed")
    allowed = {owner.lower() for owner in owners} - {f"@{author}".lower()}
    for approval in approvals:
        if approval.commit == head and allowed & {owner.lower() for owner in approval.owners}:
            return Decision("success", f"{approval.owners[0]} approved the changed rules", reasons)
    more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return Decision("failure", f"an owner must approve: {reasons[0]}{more}", reasons)


def reasons_of(file: ChangedFile) -> Iterator[str]:
    """Why a change of `file` needs an owner's approval."""
    for path in filter(None, (file.path, file.previous)):
        if path.startswith(tuple(one for one in RULE_FILES if one.endswith("/"))) or path in RULE_FILES:
            yield f"{path} is changed"
    if any(_STACK_FILE.fullmatch(path) for path in filter(None, (file.path, file.previous))):
        yield from _policy_keys(file)
    elif file.path.endswith(".py") and not file.path.startswith(("tests/", "app/")):
        yield from _reaches(file)


def _policy_keys(file: ChangedFile) -> Iterator[str]:
    try:
        before, after = _keys(file.before), _keys(file.after)
    except (yaml.YAMLError, AttributeError, TypeError):
        yield f"{file.path} cannot be read"
        return
    for key in sorted({*before, *after}):
        if before.get(key) == after.get(key):
            continue
        # A new environment sets its ceiling; relaxing a rule needs an approval.
        if file.before or key == _RELAXING:
            yield f"{file.path}: {key} is changed"


def _keys(text: str) -> dict[str, Any]:
    config = (yaml.safe_load(text) or {}).get("config") or {}
    return {str(key): value for key, value in config.items() if str(key).startswith(_NAMESPACE)}


def _reaches(file: ChangedFile) -> Iterator[str]:
    try:
        before, after = _used(file.before), _used(file.after)
    except (SyntaxError, ValueError):
        yield f"{file.path} is not valid Python"
        return
    for name in sorted(after - before):
        yield f"{file.path} uses {name}: a program can change with it what is reported"


def _used(text: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import():
                found |= {alias.name for alias in node.names if alias.name.partition(".")[0] in _PACKAGES}
            case ast.ImportFrom():
                if (node.module or "").partition(".")[0] in _PACKAGES:
                    found.add(str(node.module))
            case ast.Name() if node.id in _NAMES:
                found.add(node.id)
            case ast.Attribute() if node.attr in _ATTRIBUTES:
                found.add(node.attr)
    return found


def owners_of(codeowners: str, path: str) -> tuple[str, ...]:
    """The owners of `path`: those of the last matching line, as GitHub reads the file."""
    found: tuple[str, ...] = ()
    for line in codeowners.splitlines():
        pattern, *owners = line.partition("#")[0].split() or [""]
        if pattern and _matches(pattern, path):
            found = tuple(owners)
    return found


def _matches(pattern: str, path: str) -> bool:
    anchored = "/" in pattern.rstrip("/")
    bare = pattern.strip("/")
    candidates = [bare, f"{bare}/*"] if not pattern.endswith("/") else [f"{bare}/*"]
    if not anchored:
        candidates += [f"*/{one}" for one in candidates]
    return any(fnmatch.fnmatchcase(path, one) for one in candidates)


class GitHub:
    """The few calls that are needed, by the ``gh`` command, which reads ``GH_TOKEN``."""

    def __init__(self, repository: str) -> None:
        self._repository = repository

    def pull_at(self, owner: str, branch: str, sha: str) -> dict[str, Any] | None:
        """The open pull request whose newest commit is `sha`."""
        pulls = self._pages(f"pulls?state=open&head={owner}:{branch}")
        return next((pull for pull in pulls if pull["head"]["sha"] == sha), None)

    def files(self, pull: Mapping[str, Any]) -> list[ChangedFile]:
        """The changed files, with their texts where a decision needs them."""
        head = pull["head"]["sha"]
        compared = json.loads(self._call(f"compare/{pull['base']['sha']}...{head}?per_page=1"))
        base = compared["merge_base_commit"]["sha"]
        return [self._file(item, base, head) for item in self._pages(f"pulls/{pull['number']}/files")]

    def _file(self, item: Mapping[str, Any], base: str, head: str) -> ChangedFile:
        path, previous, status = item["filename"], item.get("previous_filename", ""), item["status"]
        if not path.endswith((".py", ".yaml", ".yml")):
            return ChangedFile(path, previous=previous)
        before = "" if status == "added" else self._text(previous or path, base)
        after = "" if status == "removed" else self._text(path, head)
        return ChangedFile(path, before, after, previous)

    def approvals(self, pull: Mapping[str, Any]) -> list[Approval]:
        """The approvals that stand: the newest review of each user that is not a comment."""
        owner, name = self._repository.split("/")
        query = (
            "query($owner: String!, $name: String!, $number: Int!) {"
            " repository(owner: $owner, name: $name) { pullRequest(number: $number) {"
            " reviews(last: 100) { nodes { state commit { oid } author { login }"
            " onBehalfOf(first: 10) { nodes { combinedSlug } } } } } } }"
        )
        done = self._gh(
            "graphql", "-f", f"query={query}", "-f", f"owner={owner}", "-f", f"name={name}",
            "-F", f"number={pull['number']}",
        )  # fmt: skip
        reviews = json.loads(done)["data"]["repository"]["pullRequest"]["reviews"]["nodes"]
        standing: dict[str, Mapping[str, Any]] = {}
        for review in reviews:
            if review["author"] is not None and review["state"] != "COMMENTED":
                standing[review["author"]["login"]] = review
        return [
            Approval(
                review["commit"]["oid"],
                (f"@{login}", *(f"@{team['combinedSlug']}" for team in review["onBehalfOf"]["nodes"])),
            )
            for login, review in standing.items()
            if review["state"] == "APPROVED" and review["commit"] is not None
        ]

    def set_status(self, sha: str, decision: Decision) -> None:
        """Sets the status of the commit `sha`."""
        description = decision.description
        if len(description) > _MAX_DESCRIPTION:
            description = description[: _MAX_DESCRIPTION - 1] + "…"
        self._call(
            f"statuses/{sha}", "-f", f"state={decision.state}", "-f", f"context={CONTEXT}",
            "-f", f"description={description}",
        )  # fmt: skip

    def _text(self, path: str, ref: str) -> str:
        return self._call(f"contents/{path}?ref={ref}", "-H", "Accept: application/vnd.github.raw+json")

    def _pages(self, path: str) -> list[dict[str, Any]]:
        pages = json.loads(self._call(path, "--paginate", "--slurp"))
        return [item for page in pages for item in page]

    def _call(self, path: str, *arguments: str) -> str:
        return self._gh(f"repos/{self._repository}/{path}", *arguments)

    def _gh(self, *arguments: str) -> str:
        return subprocess.run(
            ["gh", "api", *arguments], check=True, stdout=subprocess.PIPE, text=True, timeout=60
        ).stdout


def main(environment: Mapping[str, str]) -> int:
    """Sets the status of the commit ``SHA``; the exit code is 0 where that was possible."""
    github = GitHub(environment["GITHUB_REPOSITORY"])
    sha = environment["SHA"]
    if environment["EVENT"] == "merge_group":
        # GitHub queues only what has this status; the commit of the queue needs it too.
        github.set_status(sha, Decision("success", "decided before it was queued"))
        return 0
    pull = github.pull_at(environment["OWNER"], environment["BRANCH"], sha)
    if pull is None:
        print("no open pull request is at this commit any more")
        return 0
    owners = owners_of(Path(".github/CODEOWNERS").read_text(), "policies/__main__.py")
    author = pull["user"]["login"]
    decision = decide(github.files(pull), github.approvals(pull), owners, sha, author)
    for reason in decision.reasons:
        print(f"- {reason}")
    print(f"{decision.state}: {decision.description}")
    github.set_status(sha, decision)
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
