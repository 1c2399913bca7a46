"""A review as JUnit XML: a suite for each stack, in it the plan and a case for every policy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

from rehearsal.pulumi.urn import name_of
from rehearsal.review.findings import Finding, rules
from rehearsal.review.review import Review
from rehearsal.review.rules.weakened import described
from rehearsal.review.stack_review import StackReview

# Characters that XML 1.0 cannot represent.
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(review: Review) -> str:
    """Return the document.

    A mandatory finding is a failure; an advisory one is output of a case that passes. A rule that was not
    evaluated is a skipped case. A stack without a plan is an error.
    """
    root = ET.Element("testsuites", name="kingdom preview", time=f"{review.seconds:.3f}")
    if review.error is not None:
        suite = ET.SubElement(root, "testsuite", name="preview", tests="1", errors="1", failures="0")
        _error(ET.SubElement(suite, "testcase", name="preview", classname="preview"), str(review.error))
    names = sorted({*rules(), *(item.rule.name for item in (*review.findings, *review.unevaluated))})
    if review.weakened:
        _weaker(root, review)
    for item in review.stacks:
        _suite(root, item, review, names)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _weaker(root: ET.Element, review: Review) -> None:
    """Add a suite with a failure for every rule that is weaker than at the base."""
    lines: dict[str, list[str]] = {}
    for change in review.rule_changes:
        lines.setdefault(change.rule, []).append(f"{described(change)} in {', '.join(change.stacks)}")
    for item in review.withheld:
        text = f"the base's rules find in {', '.join(item.stacks)}: {_line(item)}"
        lines.setdefault(item.rule.name, []).append(text)
    count = str(len(lines))
    suite = ET.SubElement(root, "testsuite", name="rules", tests=count, failures=count, errors="0")
    for name, found in sorted(lines.items()):
        case = ET.SubElement(suite, "testcase", name=_text(name), classname="rules")
        ET.SubElement(case, "failure", type="weaker", message=_text(found[0])).text = _text("\n".join(found))


def _suite(root: ET.Element, item: StackReview, review: Review, names: Sequence[str]) -> None:
    seconds = item.head.seconds if item.head is not None else 0.0
    suite = ET.SubElement(root, "testsuite", name=_text(item.stack), time=f"{seconds:.3f}")
    plan = ET.SubElement(suite, "testcase", name="plan", classname=_text(item.stack))
    if item.error:
        _error(plan, item.error)
        if item.wrong_settings and item.stack_file is not None:
            plan.set("file", _text(f"{item.stack_file.parent.name}/{item.stack_file.name}"))
            plan.set("line", str(item.wrong_settings[0].line or 1))
    elif item.conflicts:
        failure = ET.SubElement(plan, "failure", type="conflict", message=_text(item.conflicts[0].text))
        failure.text = _text("\n".join(effect.text for effect in item.conflicts))
    elif item.protected:
        lines = [f"{name_of(found.urn)}: {found.message}" for found in item.protected]
        failure = ET.SubElement(plan, "failure", type="protected", message=_text(lines[0]))
        failure.text = _text("\n".join(lines))
    evaluated = item.result is not None and bool(item.result.policy_pack)
    for name in names if evaluated else ():
        case = ET.SubElement(suite, "testcase", name=_text(name), classname=_text(item.stack))
        _add_findings(
            case,
            [found for found in review.findings if found.rule.name == name and item.stack in found.stacks],
            [found for found in review.unevaluated if found.rule.name == name and item.stack in found.stacks],
        )
    for attribute, tag in (
        ("tests", "testcase"),
        ("errors", "testcase/error"),
        ("failures", "testcase/failure"),
        ("skipped", "testcase/skipped"),
    ):
        suite.set(attribute, str(len(suite.findall(tag))))


def _add_findings(case: ET.Element, findings: Sequence[Finding], unevaluated: Sequence[Finding]) -> None:
    mandatory = [item for item in findings if item.mandatory]
    advisory = [item for item in findings if not item.mandatory]
    if mandatory:
        rule = mandatory[0].rule
        failure = ET.SubElement(
            case, "failure", type=rule.severity or "mandatory", message=_text(rule.description)
        )
        failure.text = _text("\n".join([*map(_line, mandatory), f"To fix it: {rule.remediation}"]))
        first = next((item for item in mandatory if item.place[0]), None)
        if first is not None:
            case.set("file", _text(first.place[0]))
            case.set("line", str(first.place[1] or 1))
    elif unevaluated and not advisory:
        ET.SubElement(case, "skipped", message=_text(_unevaluated(unevaluated[0])))
    if advisory or (mandatory and unevaluated):
        lines = [
            *map(_line, advisory),
            *map(_unevaluated, unevaluated),
        ]
        ET.SubElement(case, "system-out").text = _text("\n".join(lines))


def _unevaluated(item: Finding) -> str:
    return f"not evaluated yet: {item.resource or 'the stack'}: {item.message}"


def _line(item: Finding) -> str:
    where = f"{item.source}: " if item.source else ""
    about = f"{item.resource}: " if item.resource else ""
    return f"{where}{item.level}: {about}{item.message}"


def _error(case: ET.Element, text: str) -> None:
    error = ET.SubElement(case, "error", message=_text(text.partition("\n")[0]))
    error.text = _text(text)


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
