"""`kingdom check`: evaluate plain Kubernetes YAML, such as a rendered chart, with the policy pack."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from policies.api import (
    RULES,
    SHAPES,
    Finding,
    PolicySettings,
    Rule,
    Stack,
    format_path,
    list_unevaluated,
    problems_with,
    reconcile,
    served_group,
)
from rehearsal.engine.diff import property_changes
from rehearsal.errors import InputError
from rehearsal.policy.manifest_schema import SCHEMA, Schema, misfits
from rehearsal.policy.manifests import Ignore, Manifest, Reading, read
from rehearsal.policy.pack_files import PolicyConfigError
from rehearsal.pulumi import gc_pause

# Policies about plain manifests; the others need a stack's settings.
_RULES: Final = tuple(rule for rule in RULES if rule.manifests)
IGNORE_COMMENT: Final = Schema(
    name="ignore-comment",
    description="An ignore comment must name existing policies and give a reason, and suppress a finding.",
    remediation=(
        "Write `# kingdom: ignore POLICY -- REASON` above the line of the finding, or remove the comment."
    ),
    severity=SCHEMA.severity,
)
DUPLICATE: Final = Schema(
    name="duplicate-object",
    description="An object must be declared once. The declaration that is applied last replaces the other.",
    remediation="Remove one of the declarations, or leave a folder out with --exclude.",
    severity=SCHEMA.severity,
)
OWN_CHECKS: Final = (SCHEMA, IGNORE_COMMENT, DUPLICATE)


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
    url: str = ""
    # The additions at level ``remediate``: path and value; empty if none is safe.
    remedy: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Report:
    """The result for all manifests; mandatory findings first, then by file and line."""

    objects: int
    remarks: tuple[Remark, ...]
    # Values that no policy could evaluate or prove, with place and reason.
    unevaluated: tuple[str, ...] = ()
    # Files and documents that could not be read, with the reason.
    unreadable: tuple[str, ...] = ()
    # Findings that a comment suppresses, with the reason given there.
    ignored: tuple[tuple[Remark, str], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no finding is mandatory."""
        return not any(remark.level == "mandatory" for remark in self.remarks)

    @property
    def exit_code(self) -> int:
        """Return 1 with a mandatory finding, else 2 if something could not be read, else 0."""
        return 1 if not self.ok else 2 if self.unreadable else 0

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of findings by level."""
        levels = [remark.level for remark in self.remarks]
        return {level: levels.count(level) for level in ("mandatory", "advisory")}

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "ok": self.ok,
            "objects": self.objects,
            "counts": self.counts,
            "findings": [_json(remark) for remark in self.remarks],
            "ignored": [_json(remark) | {"reason": reason} for remark, reason in self.ignored],
            "unevaluated": list(self.unevaluated),
            "unreadable": list(self.unreadable),
        }

    def lines(self, *, diff: bool = False) -> list[str]:
        """Return the report as text. Remediation and link follow the first finding of each policy.

        With `diff`, the additions of remediation are shown too.
        """
        text: list[str] = []
        explained: set[str] = set()
        for item in self.remarks:
            what = f"{item.kind} {item.name}".strip()
            text.append(f"{item.file}:{item.line}: {item.level} [{item.severity}] {item.policy} ({what})")
            text.append(f"    {item.path + ': ' if item.path else ''}{item.message}")
            text += [f"    + {path}: {value}" for path, value in item.remedy if diff]
            if item.policy not in explained:
                text.append(f"    Remediation: {item.remediation}")
                text += [f"    {item.url}"] if item.url else []
                explained.add(item.policy)
        text += [
            f"{item.file}:{item.line}: ignored {item.policy} ({item.kind} {item.name}): {reason}"
            for item, reason in self.ignored
        ]
        text += [f"not evaluated: {what}" for what in self.unevaluated]
        text += [f"not read: {what}" for what in self.unreadable]
        counts = ", ".join(f"{count} {level}" for level, count in self.counts.items())
        ignored = f", {len(self.ignored)} ignored" if self.ignored else ""
        unproven = f", {len(self.unevaluated)} not evaluated" if self.unevaluated else ""
        unread = f", {len(self.unreadable)} not read" if self.unreadable else ""
        what = "object" if self.objects == 1 else "objects"
        text.append(f"{self.objects} {what} evaluated: {counts}{ignored}{unproven}{unread}")
        return [_printable(line) for line in text]


_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _printable(line: str) -> str:
    """Return one line for a terminal: names in manifests may contain line breaks and escape sequences."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), line)


def _json(remark: Remark) -> dict[str, Any]:
    changes = [{"path": path, "kind": "add", "new": json.loads(value)} for path, value in remark.remedy]
    return asdict(remark) | {"remedy": changes}


def check(
    paths: list[str],
    *,
    config: Mapping[str, Any] | None = None,
    strict: bool = False,
    only: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
) -> Report:
    """Evaluate the manifests at `paths` (files, folders, ``-``).

    Policies that are specific to this platform (its registries, quotas, labels) run only with `strict`, or
    when `only` or `config` names them. `config` has the form of a ``--policy-pack-config`` file; `only`
    selects policies by name or by the beginning of a tag (``PSS``); `exclude` has glob patterns of files to
    leave out. Raises InputError if nothing can be read, and PolicyConfigError for an invalid configuration.
    """
    settings = _settings(config or {}, strict, only)
    _check_selection(only, settings)
    with gc_pause.off():  # a tree has no cycles, and scanning all of them repeatedly took a third of the time
        return _evaluated(read(paths, exclude=exclude), settings, only)


def _evaluated(reading: Reading, settings: Mapping[str, PolicySettings], only: tuple[str, ...]) -> Report:
    by_urn = {manifest.resource.urn: manifest for manifest in reading.manifests}
    stack = Stack.of([manifest.resource for manifest in reading.manifests])
    found: list[_Found] = []
    elsewhere: list[_Found] = []
    for rule in _RULES:
        chosen = settings[rule.name]
        if chosen.level == "disabled" or not _selected(rule, only):
            continue
        level = "mandatory" if chosen.level == "remediate" else chosen.level
        remedies: dict[str, tuple[tuple[str, str], ...]] = {}
        for finding in rule.evaluate(stack, chosen.properties):
            manifest = by_urn.get(finding.urn)
            if manifest is not None and _is_elsewhere(reading, manifest, finding):
                manifest.resource.node.mark_unevaluated(_PATCH)
                elsewhere.append(_Found(_remark(rule, level, finding, manifest), manifest, finding))
                continue
            if manifest is not None and finding.urn not in remedies:
                remedies[finding.urn] = _remedy(rule, manifest, chosen)
            remark = _remark(rule, level, finding, manifest, remedies.get(finding.urn, ()))
            found.append(_Found(remark, manifest, finding))
    found += _own_checks(reading, only)
    evaluated = {own.name for own in OWN_CHECKS if not only or own.name in only}
    evaluated |= {
        rule.name for rule in _RULES if settings[rule.name].level != "disabled" and _selected(rule, only)
    }
    remaining, ignored, comments = _apply_ignores(found, elsewhere, reading, evaluated)
    if not only or IGNORE_COMMENT.name in only:
        remaining += comments
    for manifest in reading.manifests:
        list_unevaluated(manifest.resource)
    remaining.sort(key=lambda item: (item.level != "mandatory", item.file, item.line, item.policy, item.path))
    return Report(
        len(reading.manifests),
        tuple(dict.fromkeys(remaining)),
        (*_unevaluated(stack, by_urn), *(f"{file}: {_ASSERTION}" for file in reading.left_out)),
        tuple(dict.fromkeys(reading.problems)),
        tuple(dict.fromkeys(ignored)),
    )


_ASSERTION: Final = "has the assertions of a test, which are not applied"
_PATCH: Final = "is a patch: what is absent here may be in the object that it changes; check that one"


def _is_elsewhere(reading: Reading, manifest: Manifest, finding: Finding) -> bool:
    """Whether a finding is about a value that is absent in a patch, and may be set in the patched object."""
    value = manifest.resource.node.raw
    for part in finding.path:
        if isinstance(part, int):
            value = value[part] if isinstance(value, list) and part < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    if value is not None:
        return False
    memo = manifest.resource.memo
    if "is_patch" not in memo:
        memo["is_patch"] = reading.is_patch(manifest)
    return bool(memo["is_patch"])


@dataclass(frozen=True)
class _Found:
    """A finding and its manifest."""

    remark: Remark
    manifest: Manifest | None
    finding: Finding


def _own_checks(reading: Reading, only: tuple[str, ...]) -> Iterator[_Found]:
    """Findings outside of the pack: violations of the API server's rules, and objects declared twice."""
    if not only or SCHEMA.name in only:
        for manifest in reading.manifests:
            for finding in misfits(manifest):
                if _is_elsewhere(reading, manifest, finding):
                    continue  # a required field, which the patched object has
                yield _Found(_remark(SCHEMA, "advisory", finding, manifest), manifest, finding)
    if only and DUPLICATE.name not in only:
        return
    seen: dict[tuple[str, ...], Manifest] = {}
    for manifest in reading.manifests:
        group = served_group(manifest.resource.type.split(":")[1].rpartition("/")[0], manifest.kind)
        # Folders often hold variants of one object, in a file each.
        key = (manifest.file, group, manifest.kind, manifest.namespace or "default", manifest.name)
        first = seen.setdefault(key, manifest)
        # With generateName, each declaration is a separate object.
        if first is not manifest and manifest.resource.node.at("metadata", "name").present:
            finding = Finding(f"is declared at line {first.line(())} too", (), manifest.resource.urn)
            yield _Found(_remark(DUPLICATE, "advisory", finding, manifest), manifest, finding)


@dataclass
class _Comment:
    """An ignore comment, and the policies of which it suppressed a finding."""

    ignore: Ignore
    used: set[str] = field(default_factory=set)


def _apply_ignores(
    found: list[_Found], elsewhere: list[_Found], reading: Reading, evaluated: set[str]
) -> tuple[list[Remark], list[tuple[Remark, str]], list[Remark]]:
    """Split findings into active ones and those that a comment suppresses.

    The third list is about the comments themselves; one is unused only if its policies are among the
    `evaluated` ones. A comment about a finding of `elsewhere`, which depends on the object that a patch
    changes, is not unused.
    """
    known = {rule.name for rule in RULES} | {own.name for own in OWN_CHECKS}
    comments = [_Comment(ignore) for ignore in reading.ignores]
    by_place: dict[tuple[str, int], list[_Comment]] = {}
    for comment in comments:
        if comment.ignore.reason:
            by_place.setdefault((comment.ignore.file, comment.ignore.target), []).append(comment)
    remaining: list[Remark] = []
    ignored: list[tuple[Remark, str]] = []
    for item in found:
        comment = _comment_for(item, by_place) if by_place else None
        if comment is None:
            remaining.append(item.remark)
        else:
            comment.used.add(item.remark.policy)
            ignored.append((item.remark, comment.ignore.reason))
    for item in elsewhere:
        if by_place and (comment := _comment_for(item, by_place)) is not None:
            comment.used.add(item.remark.policy)
    about: list[Remark] = []
    for comment in comments:
        wrong = _wrong(comment, known, evaluated)
        if wrong:
            remark = _remark(IGNORE_COMMENT, "advisory", Finding(wrong), None)
            about.append(replace(remark, file=comment.ignore.file, line=comment.ignore.line))
    return remaining, ignored, about


def _comment_for(item: _Found, by_place: Mapping[tuple[str, int], list[_Comment]]) -> _Comment | None:
    if item.manifest is None:
        return None
    for line in item.manifest.lines(item.finding.path):
        for comment in by_place.get((item.manifest.file, line), ()):
            if item.remark.policy in comment.ignore.policies:
                return comment
    return None


def _wrong(comment: _Comment, known: set[str], evaluated: set[str]) -> str:
    """Return the problem of a comment; "" if it is valid."""
    ignore = comment.ignore
    if not ignore.policies:
        return "names no policy: write `# kingdom: ignore POLICY -- REASON`"
    for name in ignore.policies:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            return f"no policy is named {name!r}" + (f"; did you mean {close[0]!r}?" if close else "")
    if not ignore.reason:
        return "gives no reason, so it suppresses nothing: write `# kingdom: ignore POLICY -- REASON`"
    unused = [name for name in ignore.policies if name in evaluated and name not in comment.used]
    if not unused:
        return ""
    return "suppresses no finding" + (f" of {', '.join(unused)}" if len(ignore.policies) > 1 else "")


def _unevaluated(stack: Stack, by_urn: Mapping[str, Manifest]) -> Iterator[str]:
    for (urn, path), reason in stack.node.unevaluated.places.items():
        manifest = by_urn.get(urn)
        place = f"{format_path(path)} {reason}".strip()
        if manifest is None:
            yield place
        else:
            what = f"{manifest.kind} {manifest.name}".strip()
            yield f"{manifest.file}:{manifest.line(path)}: {what}: {place}"


def _remedy(rule: Rule, manifest: Manifest, chosen: PolicySettings) -> tuple[tuple[str, str], ...]:
    """Return the additions of the rule's remediation to a manifest."""
    if rule.remedy is None:
        return ()
    before = manifest.resource.node.raw
    after = rule.remedied(manifest.resource, chosen.properties)
    found = property_changes(before, after) if after is not None else ()
    return tuple((format_path(change.path), json.dumps(change.new, sort_keys=True)) for change in found)


def _selected(rule: Rule, only: tuple[str, ...]) -> bool:
    return not only or rule.name in only or any(_has_tag(rule, word) for word in only)


def _has_tag(rule: Rule, word: str) -> bool:
    """Whether one of a rule's tags is `word`, or begins with it up to a colon or a dot."""
    return any(tag == word or tag.startswith((f"{word}:", f"{word}.")) for tag in rule.tags)


def _check_selection(only: tuple[str, ...], settings: Mapping[str, PolicySettings]) -> None:
    """Refuse a selection that selects no policy, since every manifest would pass."""
    names = [rule.name for rule in RULES] + [tag for rule in RULES for tag in rule.tags]
    names += [own.name for own in OWN_CHECKS]
    for word in only:
        if word in {own.name for own in OWN_CHECKS}:
            continue
        matching = [rule for rule in RULES if _selected(rule, (word,))]
        if not matching:
            close = difflib.get_close_matches(word, names, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise InputError(f"no policy has the name or a tag {word!r}{hint}", remedy="Nothing was checked.")
        if not [rule for rule in matching if rule.manifests]:
            raise InputError(
                f"{word} does not apply to manifests: it needs a stack", remedy="Use `kingdom preview`."
            )
        if all(settings[rule.name].level == "disabled" for rule in matching if rule.manifests):
            raise InputError(
                f"every policy that {word!r} selects is specific to this platform, or disabled",
                remedy="Add --strict. Nothing was checked.",
            )


_MAX_MESSAGE: Final = 2_000


def _bounded(message: str) -> str:
    """Shorten a message that repeats a value of any length."""
    if len(message) <= _MAX_MESSAGE:
        return message
    return f"{message[: _MAX_MESSAGE // 2]}... {message[-_MAX_MESSAGE // 4 :]}"


def _remark(
    rule: Rule | Schema,
    level: str,
    finding: Finding,
    manifest: Manifest | None,
    remedy: tuple[tuple[str, str], ...] = (),
) -> Remark:
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
        message=_bounded(finding.message),
        description=rule.description,
        remediation=rule.remediation,
        url=rule.url,
        remedy=remedy,
    )


def _settings(config: Mapping[str, Any], strict: bool, only: tuple[str, ...]) -> dict[str, PolicySettings]:
    problems = problems_with(SHAPES, config)
    if problems:
        raise PolicyConfigError(
            "the policy configuration is wrong:", details=problems, remedy="Nothing was checked."
        )
    house: dict[str, Any] = {}
    if not strict:
        house = {
            rule.name: "advisory" if rule.name in only else "disabled"
            for rule in RULES
            if rule.platform_specific
        }
    return reconcile(SHAPES, house, config)
