"""Findings of the policy pack over several stacks, merged and sorted by urgency."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from policies.api import RULES
from rehearsal.cli.display import changes_json
from rehearsal.engine.events import Remediation, Result, Violation
from rehearsal.pulumi.urn import ROOT_STACK_TYPE, name_of, type_of

SEVERITIES: Final = ("critical", "high", "medium", "low", "")
# Security concerns among those of the policy pack; a rule's concern is its first tag.
_SECURITY: Final = frozenset({"pod-security", "tls", "network", "identity", "plaintext-secrets"})
_SOURCE: Final = re.compile(r"(?P<file>.+?):(?P<line>\d+)(?::\d+)?")


@dataclass(frozen=True)
class RuleInfo:
    """The metadata of a policy. Of a policy that is not in this repository's pack, only name and text."""

    name: str
    description: str
    severity: str = ""
    remediation: str = ""
    tags: tuple[str, ...] = ()
    url: str = ""


@dataclass(frozen=True)
class Finding:
    """One finding, and the stacks in which it occurs.

    `file` and `line` are the position of the code that declares the resource; "" and 0 if unknown. `setting`
    is the changed setting that causes the finding, with its position in the stack file; "" if none does.
    """

    rule: RuleInfo
    level: str
    message: str
    resource: str
    type: str
    file: str
    line: int
    stacks: tuple[str, ...] = field(default=())
    setting: str = ""
    setting_file: str = ""
    setting_line: int = 0

    @property
    def place(self) -> tuple[str, int]:
        """Return the position to change: the setting that causes the finding, else the declaring code."""
        if self.setting_file and self.setting_line:
            return self.setting_file, self.setting_line
        return self.file, self.line

    @property
    def mandatory(self) -> bool:
        return self.level == "mandatory"

    @property
    def source(self) -> str:
        """Return ``file:line`` of `place`; "" for none."""
        file, line = self.place
        return f"{file}:{line}" if file else ""


def rules() -> dict[str, RuleInfo]:
    """Return every policy of the pack by name."""
    return {
        rule.name: RuleInfo(
            rule.name,
            rule.description,
            rule.severity.value,
            rule.remediation,
            (rule.concern, *rule.tags),
            rule.url,
        )
        for rule in RULES
    }


def gather(results: Iterable[Result]) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return the findings of all `results`, and the rules that could not be evaluated.

    Equal findings of several stacks are merged. Mandatory ones are first, then by severity, policy, position.
    """
    known = rules()
    found: dict[Finding, list[str]] = {}
    for result in results:
        for violation in result.violations:
            stacks = found.setdefault(_finding(violation, known), [])
            if result.stack not in stacks:
                stacks.append(result.stack)
    every = [
        Finding(
            item.rule, item.level, item.message, item.resource, item.type, item.file, item.line, tuple(stacks)
        )
        for item, stacks in found.items()
    ]
    every.sort(key=_order)
    return (
        tuple(item for item in every if item.level != "unevaluated"),
        tuple(item for item in every if item.level == "unevaluated"),
    )


def is_security(rule: RuleInfo) -> bool:
    """Whether `rule` is about security, not about costs, capacity or availability."""
    return bool(rule.tags) and (
        rule.tags[0] in _SECURITY or any(tag.partition(":")[0] in ("PSS", "CIS-GKE") for tag in rule.tags)
    )


def causes(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Group `findings` by their probable cause; each finding is in one group. The order is retained.

    Findings of one rule on many resources have a common cause, such as a missing label. So have findings of
    many rules on one resource in the same stacks, such as a Deployment without a security context.
    """
    by_rule: dict[object, list[Finding]] = {}
    by_resource: dict[object, list[Finding]] = {}
    for item in findings:
        by_rule.setdefault((item.rule.name, item.level), []).append(item)
        if item.resource:
            by_resource.setdefault((item.type, item.resource, item.stacks), []).append(item)
    groups: list[list[Finding]] = []
    taken: set[int] = set()
    for item in findings:
        if id(item) in taken:
            continue
        rule = [one for one in by_rule[item.rule.name, item.level] if id(one) not in taken]
        resource = [
            one
            for one in by_resource.get((item.type, item.resource, item.stacks), [item])
            if id(one) not in taken
        ]
        group = resource if len(resource) > len(rule) else rule
        taken.update(map(id, group))
        groups.append(group)
    return groups


def gather_remedied(results: Iterable[Result]) -> tuple[tuple[Remediation, tuple[str, ...]], ...]:
    """Return the remediations of all `results`, each with its stacks, by policy and position."""
    found: dict[tuple[str, ...], tuple[Remediation, list[str]]] = {}
    for result in results:
        for item in result.remediations:
            diff = json.dumps(changes_json(item.changes), sort_keys=True)
            key = (item.policy, item.source, type_of(item.urn), name_of(item.urn), diff)
            stacks = found.setdefault(key, (item, []))[1]
            if result.stack not in stacks:
                stacks.append(result.stack)
    return tuple((item, tuple(stacks)) for _, (item, stacks) in sorted(found.items(), key=lambda it: it[0]))


def _order(item: Finding) -> tuple[object, ...]:
    return (
        not item.mandatory,
        SEVERITIES.index(item.rule.severity),
        item.rule.name,
        item.file,
        item.line,
        item.resource,
        item.message,
    )


def _finding(violation: Violation, known: Mapping[str, RuleInfo]) -> Finding:
    # A finding about the whole stack has the URN of the root stack or no URN.
    about = violation.urn if violation.urn.count("::") >= 3 else ""
    if about and type_of(about) == ROOT_STACK_TYPE:
        about = ""
    match = _SOURCE.fullmatch(violation.source)
    return Finding(
        rule=known.get(violation.policy, RuleInfo(violation.policy, violation.description)),
        level=violation.level,
        # The policy SDK prefixes the message with the policy's description.
        message=violation.reason.removeprefix(violation.description).strip() or violation.message,
        resource=name_of(about) if about else "",
        type=type_of(about) if about else "",
        file=match["file"] if match else "",
        line=int(match["line"]) if match else 0,
    )
