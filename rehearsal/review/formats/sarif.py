"""Findings as SARIF 2.1.0, which code scanning shows beside the lines that declare the resources.

The format: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; what GitHub reads of it:
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from rehearsal.pulumi.urn import name_of
from rehearsal.review.changes.impact import Effect
from rehearsal.review.changes.stack_file import places
from rehearsal.review.findings import Finding, RuleInfo, is_security, rules
from rehearsal.review.review import Review
from rehearsal.review.rules.weakened import described

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS: Final = {"mandatory": "error", "advisory": "warning"}
# `security-severity`: GitHub displays over 9.0 as critical, from 7.0 as high, from 4.0 as medium, else low.
_SCORES: Final = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
ROOT: Final = "%SRCROOT%"
# Rules for plans that fail or that the cloud would refuse; they are not in the policy pack.
_PLAN_RULES: Final = (
    RuleInfo("plan-failed", "Every stack must be planned.", "high", "Fix what the message names."),
    RuleInfo(
        "name-taken",
        "A name in the cloud must be free when it is taken.",
        "high",
        "Take another name, or add an alias to a rename.",
    ),
)
MAX_RESULTS: Final = 5_000  # results that GitHub takes from one run; mandatory ones are first


def sarif(review: Review, program: str = "infra/__main__.py") -> dict[str, Any]:
    """Return the SARIF log. A finding about a whole stack is located in the first line of `program`."""
    known = rules()
    known.update({item.rule.name: item.rule for item in review.findings})
    names = sorted(known)
    results = list(_results(review.findings, names, program))
    results = [*_failed_plans(review, len(names), program), *results]
    notices = [*_rule_changes(review), *_failures(review)]
    if len(results) > MAX_RESULTS:
        notices.append(
            notice(f"{len(results) - MAX_RESULTS} of {len(results)} findings are left out", "warning")
        )
    return log(
        "kingdom preview, with the policy pack of this repository",
        [*(known[name] for name in names), *_PLAN_RULES],
        results[:MAX_RESULTS],
        notices,
        category="kingdom/policies/",
        exit_code=review.exit_code,
        successful=review.error is None and not review.failed,
    )


def log(
    title: str,
    rules_: Iterable[RuleInfo],
    results: list[dict[str, Any]],
    notices: list[dict[str, Any]],
    *,
    category: str,
    exit_code: int,
    successful: bool,
) -> dict[str, Any]:
    """Return a SARIF log of one run. `category` separates the results of different commands."""
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "kingdom",
                        "fullName": title,
                        "rules": [_rule(item) for item in rules_],
                    }
                },
                "automationDetails": {"id": category},
                "columnKind": "utf16CodeUnits",
                "originalUriBaseIds": {ROOT: {"description": {"text": "The top of the repository."}}},
                "invocations": [
                    {
                        "executionSuccessful": successful,
                        "exitCode": exit_code,
                        "toolExecutionNotifications": notices,
                    }
                ],
                "results": results,
            }
        ],
    }


def _failures(review: Review) -> Iterable[dict[str, Any]]:
    if review.error is not None:
        yield notice(str(review.error), "error")
    for item in review.failed:
        yield notice(f"{item.stack} could not be planned: {item.error}", "error")
    for item in review.refused:
        for found in item.protected:
            yield notice(f"{item.stack}, {name_of(found.urn)}: {found.message}", "error")


def _failed_plans(review: Review, first: int, program: str) -> Iterable[dict[str, Any]]:
    """Yield results for stacks without a plan: at each wrong setting, else at the position of the error."""
    failed, conflict = (rule.name for rule in _PLAN_RULES)
    for item in review.failed:
        if item.wrong_settings and item.stack_file is not None:
            file = f"{item.stack_file.parent.name}/{item.stack_file.name}"
            found = [(file, wrong.line or 1, wrong.message) for wrong in item.wrong_settings]
        else:
            file, line = next(iter(places(item.error)), (program, 1))
            found = [(file, line, item.error)]
        for file, line, message in found:
            yield _plan_result(failed, first, f"{item.stack} cannot be planned: {message}", file, line)
    conflicts: dict[Effect, list[str]] = {}
    for item in review.refused:
        for effect in item.conflicts:
            conflicts.setdefault(effect, []).append(item.stack)
    for effect, stacks in conflicts.items():
        file, line = next(iter(places(effect.source)), (program, 1))
        yield _plan_result(conflict, first + 1, f"{', '.join(stacks)}: {effect.text}", file, line)


def _plan_result(rule: str, index: int, message: str, file: str, line: int) -> dict[str, Any]:
    mark = hashlib.sha256("\0".join((rule, file, message)).encode()).hexdigest()[:32]
    return {
        "ruleId": rule,
        "ruleIndex": index,
        "level": "error",
        "message": {"text": message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(file), "uriBaseId": ROOT},
                    "region": {"startLine": line},
                }
            }
        ],
        "partialFingerprints": {"kingdomFinding/v1": f"{mark}:1"},
    }


def _rule_changes(review: Review) -> Iterable[dict[str, Any]]:
    """Yield weakened rules as notifications, so that a run with disabled rules does not appear clean."""
    for change in review.rule_changes:
        yield notice(f"weaker rule: {described(change)} in {', '.join(change.stacks)}", "error")
    for item in review.withheld:
        about = item.resource or "the stack"
        yield notice(
            f"weaker rule: the base's rules find {item.level} {item.rule.name}: {about} in"
            f" {', '.join(item.stacks)}: {item.message}",
            "error",
        )


def notice(text: str, level: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": text}}


def _rule(rule: RuleInfo) -> dict[str, Any]:
    security = is_security(rule)
    tags = ["security", *rule.tags] if security else list(rule.tags)
    properties: dict[str, Any] = {"tags": tags, "precision": "very-high"}
    if rule.severity in _SCORES:
        if security:
            properties["security-severity"] = _SCORES[rule.severity]
        properties["problem.severity"] = "error" if rule.severity in ("critical", "high") else "warning"
    help_ = rule.remediation or rule.description
    described: dict[str, Any] = {
        "id": rule.name,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.description},
        "fullDescription": {"text": rule.description},
        "help": {"text": help_, "markdown": f"{rule.description}\n\n**To fix it:** {help_}"},
        "properties": properties,
    }
    return described | ({"helpUri": rule.url} if rule.url else {})


def _results(findings: Iterable[Finding], names: list[str], program: str) -> Iterable[dict[str, Any]]:
    seen: Counter[str] = Counter()
    for item in findings:
        mark = _fingerprint(item)
        seen[mark] += 1
        stacks = ", ".join(item.stacks)
        about = f"{item.type} {item.resource}" if item.resource else "the stack"
        yield {
            "ruleId": item.rule.name,
            "ruleIndex": names.index(item.rule.name),
            "level": LEVELS.get(item.level, "note"),
            "message": {"text": f"{item.message} ({about}; in {stacks})"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(item.place[0] or program), "uriBaseId": ROOT},
                        "region": {"startLine": item.place[1] or 1},
                    },
                    "logicalLocations": [{"name": item.resource or "stack", "kind": "resource"}],
                }
            ],
            # The fingerprint excludes the line, so that a finding keeps its identity when lines move.
            "partialFingerprints": {"kingdomFinding/v1": f"{mark}:{seen[mark]}"},
            "properties": {"stacks": list(item.stacks), "resourceType": item.type},
        }


def _fingerprint(item: Finding) -> str:
    text = "\0".join((item.rule.name, item.type, item.resource, item.message))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
