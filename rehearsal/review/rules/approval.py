"""Require an approval for changes of the rules that evaluate pull requests: the status "Rules".

    python -m rehearsal.review.rules.approval

Runs in the workflow rules.yml, from the default branch, and reads the pull request through GitHub's API.
A change that can affect the findings of a review (`reasons_of`) needs the approval of a code owner of
``policies/`` on the newest commit. So does a commit that is also the head of a pull request into another
branch, because the workflows of that branch report statuses with the same names on the commit.
"""

from __future__ import annotations

import fnmatch
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rehearsal.review.rules.reasons import ChangedFile, needs_text, reasons_of

CONTEXT: Final = "Rules"
_MAX_FILES: Final = 3_000  # GitHub lists at most as many files of a pull request
_MAX_DESCRIPTION: Final = 140  # characters of a commit status
# Tree modes without comparable text: the target of a link can change while the link does not.
_NO_FILES: Final = {"120000": "a symbolic link", "160000": "a submodule"}


@dataclass(frozen=True)
class Approval:
    """An approving review of `commit`; `owners` are the user and the teams that it counts for, with ``@``."""

    commit: str
    owners: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """The commit status: its `state`, its `description`, and the reasons for it."""

    state: str
    description: str
    reasons: tuple[str, ...] = ()


def decide(
    files: Sequence[ChangedFile],
    approvals: Iterable[Approval],
    owners: Iterable[str],
    head: str,
    author: str,
    more: Iterable[str] = (),
) -> Decision:
    """Return the status for a pull request of `author` at the commit `head`.

    `owners` are the code owners of ``policies/``. `more` are reasons besides the changed files. An approval
    by the author does not count.
    """
    reasons = tuple(dict.fromkeys([*more, *(reason for file in files for reason in reasons_of(file))]))
    if len(files) >= _MAX_FILES:
        reasons = (f"{len(files)} files are changed, more than GitHub lists", *reasons)
    if not reasons:
        return Decision("success", "no rule is changed")
    allowed = {owner.lower() for owner in owners} - {f"@{author}".lower()}
    for approval in approvals:
        if approval.commit == head and allowed & {owner.lower() for owner in approval.owners}:
            return Decision("success", f"{approval.owners[0]} approved the changed rules", reasons)
    others = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return Decision("failure", f"an owner must approve: {reasons[0]}{others}", reasons)


def owners_of(codeowners: str, path: str) -> tuple[str, ...]:
    """Return the owners of `path`: those of the last matching line, as GitHub reads the file."""
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
    """Calls GitHub's API with the ``gh`` command, which reads the token from ``GH_TOKEN``."""

    def __init__(self, repository: str) -> None:
        self._repository = repository

    def pull_at(self, owner: str, branch: str, sha: str, base: str) -> dict[str, Any] | None:
        """Return the open pull request into `base` whose newest commit is `sha`."""
        pulls = self._pages(f"pulls?state=open&base={base}&head={owner}:{branch}")
        return next((pull for pull in pulls if pull["head"]["sha"] == sha), None)

    def other_bases(self, sha: str, base: str) -> list[str]:
        """Return a reason for each pull request of the commit `sha` into a branch other than `base`."""
        return [
            f"#{pull['number']} has the same commit and is for the branch {pull['base']['ref']}"
            for pull in self._pages(f"commits/{sha}/pulls")
            if pull["head"]["sha"] == sha and pull["base"]["ref"] != base
        ]

    def not_files(self, sha: str) -> list[str]:
        """Return a reason for each symbolic link and submodule in the commit `sha`."""
        tree = json.loads(self._call(f"git/trees/{sha}?recursive=1"))
        found = [
            f"{item['path']} is {_NO_FILES[item['mode']]}"
            for item in tree["tree"]
            if item["mode"] in _NO_FILES
        ]
        return [*found, "the repository has more files than GitHub lists"] if tree["truncated"] else found

    def files(self, pull: Mapping[str, Any]) -> list[ChangedFile]:
        """Return the changed files, with their texts where a decision needs them."""
        head = pull["head"]["sha"]
        compared = json.loads(self._call(f"compare/{pull['base']['sha']}...{head}?per_page=1"))
        base = compared["merge_base_commit"]["sha"]
        return [self._file(item, base, head) for item in self._pages(f"pulls/{pull['number']}/files")]

    def _file(self, item: Mapping[str, Any], base: str, head: str) -> ChangedFile:
        path, previous, status = item["filename"], item.get("previous_filename", ""), item["status"]
        if not needs_text(path) and not needs_text(previous):
            return ChangedFile(path, previous=previous)
        before = "" if status == "added" else self._text(previous or path, base)
        after = "" if status == "removed" else self._text(path, head)
        return ChangedFile(path, before, after, previous)

    def approvals(self, pull: Mapping[str, Any]) -> list[Approval]:
        """Return the valid approvals: the newest review of each user that is not a comment."""
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
        """Set the status of the commit `sha`."""
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
    """Set the status of the commit ``SHA``; return 0 if that was possible."""
    github = GitHub(environment["GITHUB_REPOSITORY"])
    sha = environment["SHA"]
    if environment["EVENT"] == "merge_group":
        # The temporary commit of a merge queue needs the status too; the queued pull request already has it.
        github.set_status(sha, Decision("success", "decided before it was queued"))
        return 0
    base = environment["BASE"]
    pull = github.pull_at(environment["OWNER"], environment["BRANCH"], sha, base)
    if pull is None:
        print(f"no open pull request into {base} is at this commit")
        return 0
    owners = owners_of(Path(".github/CODEOWNERS").read_text(), "policies/__main__.py")
    author = pull["user"]["login"]
    more = [*github.other_bases(sha, base), *github.not_files(sha)]
    decision = decide(github.files(pull), github.approvals(pull), owners, sha, author, more)
    for reason in decision.reasons:
        print(f"- {reason}")
    print(f"{decision.state}: {decision.description}")
    github.set_status(sha, decision)
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
