"""`kingdom check`: the pack's verdict on plain Kubernetes YAML, such as a rendered chart."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from policies.model.property_tree import Finding, format_path
from policies.model.stack import Stack
from policies.pack.configuration import PolicySettings, problems_with, reconcile
from policies.pack.rule import Rule
from policies.rules import RULES, SHAPES
from rehearsal.engine.diff import property_changes
from rehearsal.errors import InputError
from rehearsal.policy.manifest_schema import SCHEMA, Schema, misfits
from rehearsal.policy.manifests import Manifest, read
from rehearsal.policy.pack_files import PolicyConfigError


@dataclass(frozen=True)
class Remark:
    """One finding on a manifest."""

    level: str
    severity: str
    policy: str
    tags: tuple[str, ...]
    file: str
    line: int
    kind: str
    name: str
    namespace: str
    path: str
    message: str
    description: str
    remediation: str
    # What the policy would add by itself at level ``remediate``: path and value; empty where nothing is safe.
    remedy: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Report:
    """The verdict on all manifests; mandatory findings first, then by file and line."""

    objects: int
    remarks: tuple[Remark, ...]
    # What no policy could judge, and why.
    unjudged: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not any(remark.level == "mandatory" for remark in self.remarks)

    @property
    def counts(self) -> dict[str, int]:
        levels = [remark.level for remark in self.remarks]
        return {level: levels.count(level) for level in ("mandatory", "advisory")}

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "objects": self.objects,
            "counts": self.counts,
            "findings": [asdict(remark) | {"remedy": _diff(remark)} for remark in self.remarks],
            "unjudged": list(self.unjudged),
        }

    def lines(self, *, diff: bool = False) -> list[str]:
        """The report as text, one finding in two lines; with `diff`, then what would put it right."""
        text: list[str] = []
        for item in self.remarks:
            what = f"{item.kind} {item.name}".strip()
            text.append(f"{item.file}:{item.line}: {item.level} {item.policy} ({what})")
            text.append(f"    {item.path + ': ' if item.path else ''}{item.message}")
            text += [f"    + {path}: {value}" for path, value in item.remedy if diff]
        text += [f"not judged: {what}" for what in self.unjudged]
        counts = ", ".join(f"{count} {level}" for level, count in self.counts.items())
        what = "object" if self.objects == 1 else "objects"
        return [*text, f"{self.objects} {what} judged: {counts}"]


def _diff(remark: Remark) -> list[dict[str, Any]]:
    return [{"path": path, "kind": "add", "new": json.loads(value)} for path, value in remark.remedy]


def check(
    paths: list[str],
    *,
    config: Mapping[str, Any] | None = None,
    strict: bool = False,
    only: tuple[str, ...] = (),
) -> Report:
    """Judge the manifests at `paths` (files, folders, ``-``).

    Rules of this house (its registries, quotas, labels) are advice on other people's manifests unless
    `strict`. `config` has the form of a ``--policy-pack-config`` file; `only` keeps policies by name or by
    the beginning of a tag (``PSS``). Raises InputError for what cannot be read, PolicyConfigError for a
    wrong configuration, both before anything is judged.
    """
    settings = _settings(config or {}, strict)
    _names_something(only)
    manifests = read(paths)
    by_urn = {manifest.resource.urn: manifest for manifest in manifests}
    stack = Stack.of([manifest.resource for manifest in manifests])
    remarks: list[Remark] = []
    for rule in RULES:
        chosen = settings[rule.name]
        if chosen.level == "disabled" or not _wanted(rule, only):
            continue
        level = "mandatory" if chosen.level == "remediate" else chosen.level
        for finding in rule.judge(stack, chosen.properties):
            manifest = by_urn.get(finding.urn)
            remedy = _remedy(rule, manifest, chosen) if manifest is not None else ()
            remarks.append(replace(_remark(rule, level, finding, manifest), remedy=remedy))
    if not only or SCHEMA.name in only:
        for manifest in manifests:
            remarks += [_remark(SCHEMA, "advisory", found, manifest) for found in misfits(manifest)]
    remarks.sort(key=lambda item: (item.level != "mandatory", item.file, item.line, item.policy, item.path))
    unjudged = tuple(f"{place} {reason}" for place, reason in stack.node.unjudged.items())
    return Report(len(manifests), tuple(dict.fromkeys(remarks)), unjudged)


def _remedy(rule: Rule, manifest: Manifest, chosen: PolicySettings) -> tuple[tuple[str, str], ...]:
    """What the rule's own remedy would add to a manifest."""
    before = manifest.resource.node.raw
    after = rule.remedied(manifest.resource, chosen.properties)
    found = property_changes(before, after) if after is not None else ()
    return tuple((format_path(change.path), json.dumps(change.new, sort_keys=True)) for change in found)


def _wanted(rule: Rule, only: tuple[str, ...]) -> bool:
    return not only or rule.name in only or any(tag.startswith(only) for tag in rule.tags)


def _names_something(only: tuple[str, ...]) -> None:
    """Refuse a filter that no policy answers to: everything would pass in silence."""
    for word in only:
        if word != SCHEMA.name and not any(_wanted(rule, (word,)) for rule in RULES):
            names = [rule.name for rule in RULES] + [tag for rule in RULES for tag in rule.tags]
            close = difflib.get_close_matches(word, names, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise InputError(f"no policy has the name or a tag {word!r}{hint}", remedy="Nothing was judged.")


def _remark(rule: Rule | Schema, level: str, finding: Finding, manifest: Manifest | None) -> Remark:
    return Remark(
        level=level,
        severity=rule.severity.value,
        policy=rule.name,
        tags=rule.tags,
        file=manifest.file if manifest else "",
        line=manifest.line(finding.path) if manifest else 0,
        kind=manifest.kind if manifest else "",
        name=manifest.name if manifest else "",
        namespace=manifest.namespace if manifest else "",
        path=format_path(finding.path),
        message=finding.message,
        description=rule.prevents,
        remediation=rule.steps,
    )


def _settings(config: Mapping[str, Any], strict: bool) -> dict[str, PolicySettings]:
    problems = problems_with(SHAPES, config)
    if problems:
        raise PolicyConfigError(
            "the policy configuration is wrong:", details=problems, remedy="Nothing was judged."
        )
    house: dict[str, Any] = {} if strict else {rule.name: "advisory" for rule in RULES if rule.house}
    return reconcile(SHAPES, house, config)
