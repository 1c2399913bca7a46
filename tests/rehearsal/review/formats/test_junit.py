"""JUnit XML of a review: well-formed, with counts that agree with its cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from rehearsal.engine.events import Diagnostic, Op, Severity
from rehearsal.errors import InputError
from rehearsal.pulumi.urn import make_urn
from rehearsal.review.findings import rules
from rehearsal.review.formats.junit import junit
from rehearsal.review.review import Review
from rehearsal.review.rules.weakened import RuleChange
from rehearsal.review.stack_review import StackReview
from tests.rehearsal.review.factories import POD, resource, review_of, stack_of, step, violation

# Elements that consumers of JUnit XML read, and the elements that each may contain, in their order.
CHILDREN = {
    "testsuites": ["testsuite"],
    "testsuite": ["testcase"],
    "testcase": ["skipped", "error", "failure", "system-out"],
    "skipped": [],
    "error": [],
    "failure": [],
    "system-out": [],
}
COUNTS = (("tests", "testcase"), ("errors", "testcase/error"), ("failures", "testcase/failure"))


def parsed(review: Review) -> ET.Element:
    """The document, whose structure and counts must be those that consumers expect."""
    root = ET.fromstring(junit(review))  # noqa: S314 - our own
    assert root.tag == "testsuites"
    for element in root.iter():
        order = [CHILDREN[element.tag].index(child.tag) for child in element]
        assert order == sorted(order)
    for suite in root:
        assert suite.get("name")
        for attribute, path in COUNTS:
            assert suite.get(attribute) == str(len(suite.findall(path)))
        for case in suite:
            assert case.get("name")
            assert case.get("classname")
            assert len(case.findall("*")) - len(case.findall("system-out")) <= 1
    return root


def case_of(review: Review, name: str) -> ET.Element:
    (case,) = (item for item in parsed(review).iter("testcase") if item.get("name") == name)
    return case


def outline(case: ET.Element) -> list[tuple[str, str, str]]:
    return [(item.tag, item.get("message", ""), item.text or "") for item in case]


def test_each_stack_is_a_suite_with_its_plan_and_a_case_for_each_policy() -> None:
    review = review_of(stack_of("dev", (), (violation("dev", "pod"),)), stack_of("prod"))
    dev, prod = parsed(review)
    names = ["plan", *sorted({*rules(), "non-root"})]
    assert [case.get("name") for case in dev] == [case.get("name") for case in prod] == names
    assert (dev.get("name"), dev.get("failures"), dev.get("skipped"), dev.get("time")) == (
        "dev",
        "1",
        "0",
        "1.500",
    )
    assert (prod.get("name"), prod.get("failures")) == ("prod", "0")


def test_mandatory_finding_is_a_failure_at_the_place_to_change() -> None:
    given = violation("dev", "pod", policy="pss-privileged")
    case = case_of(
        review_of(stack_of("dev", (), (given, violation("dev", "a", policy="pss-privileged")))),
        "pss-privileged",
    )
    ((tag, message, text),) = outline(case)
    rule = rules()["pss-privileged"]
    assert (tag, message) == ("failure", rule.description)
    assert text.splitlines() == [
        "infra/pods.py:12: mandatory: a: runs as root",
        "infra/pods.py:12: mandatory: pod: runs as root",
        f"To fix it: {rule.remediation}",
    ]
    assert case[0].get("type") == rule.severity
    assert (case.get("file"), case.get("line")) == ("infra/pods.py", "12")


def test_finding_without_a_source_but_with_a_setting_is_at_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "stacks" / "Pulumi.dev.yaml"
    file.parent.mkdir()
    file.write_text("config:\n  policies:monthlyCeiling: '1'\n")
    whole = replace(violation("dev", "pod", policy="monthly-cost-ceiling"), urn="", source="")
    stack = replace(stack_of("dev", (), (whole,)), stack_file=file)
    case = case_of(review_of(stack), "monthly-cost-ceiling")
    assert (case.get("file"), case.get("line")) == ("stacks/Pulumi.dev.yaml", "2")


def test_finding_without_a_place_has_no_file() -> None:
    bare = replace(violation("dev", "pod"), source="")
    case = case_of(review_of(stack_of("dev", (), (bare,))), "non-root")
    assert (case.get("file"), case.get("line")) == (None, None)
    assert outline(case)[0][2].splitlines()[0] == "mandatory: pod: runs as root"


def test_advisory_finding_is_output_of_a_case_that_passes() -> None:
    case = case_of(review_of(stack_of("dev", (), (violation("dev", "pod", "advisory"),))), "non-root")
    assert outline(case) == [("system-out", "", "infra/pods.py:12: advisory: pod: runs as root")]


@pytest.mark.parametrize(
    ("levels", "tags", "output"),
    [
        (("unevaluated",), ["skipped"], None),
        (("advisory", "unevaluated"), ["system-out"], "not evaluated yet: pod: runs as root"),
        (("mandatory", "unevaluated"), ["failure", "system-out"], "not evaluated yet: pod: runs as root"),
        (
            ("mandatory", "advisory"),
            ["failure", "system-out"],
            "infra/pods.py:12: advisory: pod: runs as root",
        ),
    ],
)
def test_rule_that_was_not_evaluated_is_skipped_unless_it_found_something(
    levels: tuple[str, ...], tags: list[str], output: str | None
) -> None:
    review = review_of(stack_of("dev", (), tuple(violation("dev", "pod", level) for level in levels)))
    case = case_of(review, "non-root")
    assert [item.tag for item in case] == tags
    assert (case.findtext("system-out") or "").splitlines()[-1:] == ([output] if output else [])
    if tags == ["skipped"]:
        assert case[0].get("message") == "not evaluated yet: pod: runs as root"


def test_failed_plan_is_an_error_and_no_policy_counts_as_passed() -> None:
    (suite,) = parsed(review_of(replace(stack_of("dev", error="first line\nmore"), stack_file=None)))
    assert suite.get("errors") == "1"
    assert outline(suite[0]) == [("error", "first line", "first line\nmore")]
    bare = StackReview("dev", None, None)
    (suite,) = parsed(review_of(bare))
    assert [case.get("name") for case in suite] == ["plan"]


@pytest.mark.parametrize(("key", "line"), [("gcp:project", "2"), ("kingdom:x", "1")])
def test_wrong_setting_is_an_error_at_its_line(tmp_path: Path, key: str, line: str) -> None:
    file = tmp_path / "stacks" / "Pulumi.dev.yaml"
    file.parent.mkdir()
    file.write_text("config:\n  gcp:project: a\n" if line == "2" else "{}\n")
    error = (
        f'stack "dev": one setting is wrong in stacks/Pulumi.dev.yaml, and nothing was changed\n  {key}\n   x'
    )
    case = case_of(review_of(replace(stack_of("dev", error=error), stack_file=file)), "plan")
    assert (case.get("file"), case.get("line")) == ("stacks/Pulumi.dev.yaml", line)


def test_conflicting_names_fail_the_plan() -> None:
    type_ = "gcp:redis/instance:Instance"
    states = tuple(resource(type_, name, {"name": "same", "region": "r"}) for name in ("a", "b"))
    steps = tuple(
        replace(step("dev", name, Op.CREATE), urn=item.urn, type=type_)
        for name, item in zip("ab", states, strict=True)
    )
    case = case_of(review_of(stack_of("dev", steps, (), states)), "plan")
    ((tag, message, text),) = outline(case)
    assert (tag, case[0].get("type"), message) == ("failure", "conflict", text)
    assert "have the same name in the cloud (same)" in text


def test_protected_resources_fail_the_plan() -> None:
    stack = stack_of("dev")
    assert stack.head is not None
    assert stack.head.result is not None
    urn = make_urn("dev", "kingdom", POD, "cache")
    errors = [Diagnostic(Severity.ERROR, f"it is {word}", urn, protected=True) for word in ("one", "two")]
    head = replace(stack.head, result=replace(stack.head.result, diagnostics=errors))
    case = case_of(review_of(replace(stack, head=head)), "plan")
    assert outline(case) == [("failure", "cache: it is one", "cache: it is one\ncache: it is two")]
    assert case[0].get("type") == "protected"


def test_weaker_rules_are_a_suite_of_failures() -> None:
    changes = (
        RuleChange("tls-redis", "disabled", "mandatory", "disabled", ("dev", "prod")),
        RuleChange("labels", "removed", "advisory", "", ("dev",)),
        RuleChange("tls-redis", "settings", "1", "2", ("dev",)),
    )
    rules_, _ = parsed(replace(review_of(stack_of("dev")), rule_changes=changes))
    assert [(case.get("name"), outline(case)[0][2]) for case in rules_] == [
        ("labels", "labels is removed (was advisory) in dev"),
        ("tls-redis", "tls-redis is disabled (was mandatory) in dev, prod\ntls-redis: 1 → 2 in dev"),
    ]
    assert {case[0].get("type") for case in rules_} == {"weaker"}


def test_failed_review_is_a_suite_with_one_error() -> None:
    error = InputError("the base 'x' is not a commit", remedy="Fetch it.")
    (suite,) = parsed(Review(ref="x", error=error))
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")
    assert outline(suite[0]) == [("error", "the base 'x' is not a commit", str(error))]


def test_only_characters_that_xml_cannot_have_are_replaced() -> None:
    message = 'nul \x00, escape \x1b, surrogate \ud800, <&>" ]]> 😀\ttab'
    case = case_of(review_of(stack_of("dev", (), (violation("dev", "pod", message=message),))), "non-root")
    assert (
        message.replace("\x00", "\ufffd").replace("\x1b", "\ufffd").replace("\ud800", "\ufffd")
        in outline(case)[0][2]
    )
