"""Find identifiers that two environments share, such as a zone: both would change the same resources."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rehearsal.errors import InputError
from rehearsal.pulumi.project import Project, Stack
from rehearsal.review.changes.stack_file import line_of
from rehearsal.review.findings import Finding, RuleInfo

RULE: Final = RuleInfo(
    "environment-identifiers",
    "An environment must have identifiers of its own. Two that share one change each other's resources.",
    "high",
    "Give each stack file the identifier of its own project, zone or organization.",
    ("consistency",),
)
# Settings that identify a cloud object which only one environment may manage.
KEYS: Final = (
    "gcp:project",
    "kingdom:environment.projectNumber",
    "kingdom:database.organization",
    "kingdom:storage.bucket",
    "kingdom:storage.apps.android",
    "kingdom:storage.apps.apple",
    "kingdom:storage.apps.web",
    "kingdom:edge.zone",
    "kingdom:edge.hostname",
    "kingdom:workload.image.repository",
)


def shared_identifiers(project: Project) -> tuple[Finding, ...]:
    """Return a finding for each value that several stacks of `project` share, at its line in the last one."""
    stacks = []
    for name in project.stack_names():
        try:
            stacks.append(project.stack(name))
        except InputError:
            continue  # the plan of this stack reports the error
    return tuple(_findings(stacks, project.root))


def _findings(stacks: Sequence[Stack], root: Path) -> Iterator[Finding]:
    for key in KEYS:
        by_value: dict[str, list[Stack]] = {}
        for stack in stacks:
            value = _at(stack.config, key)
            if value is not None:
                by_value.setdefault(str(value), []).append(stack)
        for value, found in by_value.items():
            if len(found) > 1:
                names = tuple(stack.name for stack in found)
                file = str(found[-1].path.relative_to(root))
                yield Finding(
                    rule=RULE,
                    level="mandatory",
                    message=f"{key} is {value} in {' and '.join(names)}",
                    resource="",
                    type="",
                    file=file,
                    line=line_of(found[-1].path, key),
                    stacks=names,
                )


def _at(config: dict[str, str], key: str) -> Any:
    namespace, _, rest = key.partition(":")
    head, *parts = rest.split(".")
    text = config.get(f"{namespace}:{head}")
    if text is None or not parts:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return None
    for part in parts:
        value = value.get(part) if isinstance(value, dict) else None
    return value
