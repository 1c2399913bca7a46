"""SARIF of a review: valid by the published schema, and as GitHub reads it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rehearsal.engine.events import Diagnostic, Op, Severity
from rehearsal.errors import InputError
from rehearsal.pulumi.urn import make_urn
from rehearsal.review.findings import Finding, RuleInfo
from rehearsal.review.formats.sarif import MAX_RESULTS, log, sarif
from rehearsal.review.review import Review
from rehearsal.review.rules.weakened import RuleChange
from tests.rehearsal.review.factories import POD, resource, review_of, stack_of, step, violation

SCHEMA = json.loads(Path(__file__).with_name("sarif-schema-2.1.0.json").read_text())


def run_of(review: Review, **options: Any) -> dict[str, Any]:
    """The run of the review's log, which must be valid and refer to rules that it describes."""
    made = sarif(review, **options)
    jsonschema.Draft4Validator(SCHEMA).validate(made)
    (run,) = made["runs"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        location = result["locations"][0]["physicalLocation"]
        assert not location["artifactLocation"]["uri"].startswith(("/", "file:"))
        assert location["region"]["startLine"] >= 1
    return run


def places(run: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [
        (
            result["ruleId"],
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            result["locations"][0]["physicalLocation"]["region"]["startLine"],
        )
        for result in run["results"]
    ]


def notices(run: dict[str, Any]) -> list[tuple[str, str]]:
    (invocation,) = run["invocations"]
    return [(item["level"], item["message"]["text"]) for item in invocation["toolExecutionNotifications"]]


# -- findings ---------------------------------------------------------------------------------------------


def test_findings_follow_failed_plans_and_have_level_message_and_stacks() -> None:
    given = (violation("dev", "pod"), violation("dev", "pod", "advisory", "of-another-pack"))
    run = run_of(review_of(stack_of("dev", (), given), stack_of("prod", error="no plan")))
    assert [(item["ruleId"], item["level"]) for item in run["results"]] == [
        ("plan-failed", "error"),
        ("non-root", "error"),
        ("of-another-pack", "warning"),
    ]
    found = run["results"][1]
    assert found["message"]["text"] == f"runs as root ({POD} pod; in dev)"
    assert found["properties"] == {"stacks": ["dev"], "resourceType": POD}
    assert found["locations"][0]["logicalLocations"] == [{"name": "pod", "kind": "resource"}]


def test_finding_on_the_whole_stack_is_at_the_first_line_of_the_program() -> None:
    whole = replace(violation("dev", "pod"), urn="", source="")
    review = review_of(stack_of("dev", (), (whole,)))
    assert places(run_of(review)) == [("non-root", "infra/__main__.py", 1)]
    run = run_of(review, program="main.py")
    assert places(run) == [("non-root", "main.py", 1)]
    assert run["results"][0]["message"]["text"] == "runs as root (the stack; in dev)"


def test_path_is_a_valid_uri() -> None:
    spaced = replace(violation("dev", "pod"), source="infra/my pods#1.py:3")
    assert places(run_of(review_of(stack_of("dev", (), (spaced,))))) == [
        ("non-root", "infra/my%20pods%231.py", 3)
    ]


def test_fingerprint_outlasts_a_moved_line_and_differs_between_equal_findings() -> None:
    def marks(*found: Any) -> list[str]:
        run = run_of(review_of(stack_of("dev", (), found)))
        return [result["partialFingerprints"]["kingdomFinding/v1"] for result in run["results"]]

    one = violation("dev", "pod")
    moved = replace(one, source="infra/pods.py:99")
    assert marks(one) == marks(moved)
    assert marks(one) != marks(violation("dev", "other"))
    assert len(set(marks(one, moved))) == 2


def test_findings_beyond_the_limit_of_the_platform_are_counted() -> None:
    given = tuple(violation("dev", f"pod-{number}") for number in range(MAX_RESULTS + 2))
    full = sarif(review_of(stack_of("dev", (), given[:MAX_RESULTS])))["runs"][0]
    assert (len(full["results"]), notices(full)) == (MAX_RESULTS, [])
    more = sarif(review_of(stack_of("dev", (), given)))["runs"][0]
    assert len(more["results"]) == MAX_RESULTS
    assert notices(more) == [("warning", f"2 of {MAX_RESULTS + 2} findings are left out")]


# -- rules ------------------------------------------------------------------------------------------------


def test_every_rule_of_the_pack_is_described_with_its_help() -> None:
    rules = run_of(review_of())["tool"]["driver"]["rules"]
    assert len(rules) > 40
    assert all(rule["help"]["text"] and "**To fix it:**" in rule["help"]["markdown"] for rule in rules)
    names = [rule["id"] for rule in rules]
    assert names[-2:] == ["plan-failed", "name-taken"]
    assert names[:-2] == sorted(names[:-2])


def test_only_rules_of_security_are_on_the_security_page() -> None:
    rules = run_of(review_of())["tool"]["driver"]["rules"]
    security = {rule["id"] for rule in rules if "security" in rule["properties"]["tags"]}
    assert security == {rule["id"] for rule in rules if "security-severity" in rule["properties"]}
    assert {"tls-redis", "no-public-members", "pss-capabilities"} <= security
    assert not {"monthly-cost-ceiling", "hpa-bounds", "deletion-protection", "plan-failed"} & security


@pytest.mark.parametrize(
    ("severity", "score", "problem"),
    [
        ("critical", "9.5", "error"),
        ("high", "8.0", "error"),
        ("medium", "5.5", "warning"),
        ("low", "2.0", "warning"),
        ("", None, None),
    ],
)
def test_severity_has_the_score_of_its_band(severity: str, score: str | None, problem: str | None) -> None:
    info = RuleInfo("tls-x", "Must be encrypted.", severity, "Encrypt it.", ("tls",), "https://example.com")
    made = log("t", [info], [], [], category="a/", exit_code=0, successful=True)
    (rule,) = made["runs"][0]["tool"]["driver"]["rules"]
    assert (rule["id"], rule["name"], rule["helpUri"]) == ("tls-x", "TlsX", "https://example.com")
    assert rule["properties"].get("security-severity") == score
    assert rule["properties"].get("problem.severity") == problem


# -- plans ------------------------------------------------------------------------------------------------


def test_failed_plan_is_at_the_place_that_the_error_names() -> None:
    run = run_of(review_of(stack_of("dev", error="infra/cache.py:5: the program raised ValueError")))
    assert places(run) == [("plan-failed", "infra/cache.py", 5)]
    assert run["results"][0]["message"]["text"].startswith("dev cannot be planned: infra/cache.py:5:")
    assert places(run_of(review_of(stack_of("dev", error="no place")))) == [
        ("plan-failed", "infra/__main__.py", 1)
    ]


def test_each_wrong_setting_is_at_its_line_in_the_stack_file(tmp_path: Path) -> None:
    file = tmp_path / "stacks" / "Pulumi.dev.yaml"
    file.parent.mkdir()
    file.write_text("config:\n  gcp:project: a\n  gcp:region: b\n")
    error = (
        'stack "dev": 2 settings are wrong in stacks/Pulumi.dev.yaml, and nothing was changed\n'
        "  gcp:project = a\n      x\n  gcp:region = b\n      y"
    )
    run = run_of(review_of(replace(stack_of("dev", error=error), stack_file=file)))
    assert places(run) == [
        ("plan-failed", "stacks/Pulumi.dev.yaml", 2),
        ("plan-failed", "stacks/Pulumi.dev.yaml", 3),
    ]


def test_conflicting_names_are_one_result_for_all_their_stacks() -> None:
    type_ = "gcp:redis/instance:Instance"
    states = tuple(resource(type_, name, {"name": "same", "region": "r"}) for name in ("a", "b"))
    steps = tuple(replace(step("dev", "x", Op.CREATE), urn=item.urn, type=type_) for item in states)
    run = run_of(review_of(*(stack_of(name, steps, (), states) for name in ("dev", "prod"))))
    assert places(run) == [("name-taken", "infra/pods.py", 12)]
    assert run["results"][0]["message"]["text"].startswith("dev, prod: b and a have the same name")


def test_failures_and_protected_resources_are_notifications() -> None:
    stack = stack_of("dev")
    assert stack.head is not None
    assert stack.head.result is not None
    error = Diagnostic(
        Severity.ERROR, "it is protected", make_urn("dev", "kingdom", POD, "a"), protected=True
    )
    refused = replace(
        stack, head=replace(stack.head, result=replace(stack.head.result, diagnostics=(error,)))
    )
    run = run_of(review_of(refused, stack_of("prod", error="no plan")))
    assert notices(run) == [
        ("error", "prod could not be planned: no plan"),
        ("error", "dev, a: it is protected"),
    ]
    assert run["invocations"][0]["exitCode"] == 1


@pytest.mark.parametrize(
    ("review", "code", "successful"),
    [
        (review_of(), 0, True),
        (review_of(stack_of("dev", (), (violation("dev", "pod"),))), 3, True),
        (review_of(stack_of("dev", error="no plan")), 1, False),
        (Review(error=InputError("the base is none")), 2, False),
    ],
)
def test_invocation_has_the_exit_code_and_whether_every_stack_was_planned(
    review: Review, code: int, successful: bool
) -> None:
    run = run_of(review)
    (invocation,) = run["invocations"]
    assert (invocation["exitCode"], invocation["executionSuccessful"]) == (code, successful)
    assert run["automationDetails"] == {"id": "kingdom/policies/"}


def test_failed_review_and_weaker_rules_are_notifications() -> None:
    assert notices(run_of(Review(error=InputError("the base is none")))) == [("error", "the base is none")]
    change = RuleChange("tls-redis", "disabled", "mandatory", "disabled", ("dev", "prod"))
    run = run_of(replace(review_of(stack_of("dev")), rule_changes=(change,)))
    assert notices(run) == [("error", "weaker rule: tls-redis is disabled (was mandatory) in dev, prod")]
    assert run["results"] == []


def test_shared_identifier_is_a_result() -> None:
    rule = RuleInfo(
        "environment-identifiers", "An environment must have its own.", "high", tags=("consistency",)
    )
    shared = Finding(
        rule, "mandatory", "gcp:project is a", "", "", "stacks/Pulumi.prod.yaml", 4, ("dev", "prod")
    )
    run = run_of(replace(review_of(), shared=(shared,)))
    assert places(run) == [("environment-identifiers", "stacks/Pulumi.prod.yaml", 4)]
    assert run["invocations"][0]["exitCode"] == 3
