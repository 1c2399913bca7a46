"""Every policy accepts compliant resources and reports each violation at its property."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path

import pytest

from policies.model.property_tree import UNKNOWN
from policies.pack.rule import FRAMEWORKS, Rule
from policies.rules import RULES, named
from policies.testing import DROP, ResourceFixture, changed, evaluate
from tests.policies.cases import Break, Case

# This policy looks for plaintext secrets in the program, which an unknown value cannot be.
LOOKS_AT_WHAT_IS_WRITTEN = {"no-secret-values"}
FOLDER = Path(__file__).parent / "cases"
CASES: tuple[Case, ...] = tuple(
    itertools.chain.from_iterable(
        importlib.import_module(f"tests.policies.cases.{file.stem}").CASES
        for file in sorted(FOLDER.glob("*.py"))
        if file.stem != "__init__"
    )
)
BREAKS = [
    pytest.param(case, change, id=f"{case.policy}: {'; '.join(change.changes)}")
    for case in CASES
    for change in case.breaks
]
PASSES = [
    pytest.param(case, change, id=f"{case.policy}: {'; '.join(change)}")
    for case in CASES
    for change in case.passes
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.policy)
def test_compliant_resources_pass(case: Case) -> None:
    result = evaluate(case.policy, *case.good, settings=case.settings)
    assert result.findings == []
    assert result.unevaluated == ""


@pytest.mark.parametrize(("case", "change"), PASSES)
def test_allowed_changes_pass(case: Case, change: dict[str, object]) -> None:
    first, *rest = case.good
    given = [ResourceFixture(first.type, changed(first.props, change), first.name, first.protect), *rest]
    assert evaluate(case.policy, *given, settings=case.settings).findings == []


@pytest.mark.parametrize(("case", "change"), BREAKS)
def test_each_violation_is_found_at_its_path(case: Case, change: Break) -> None:
    given = case.broken(change)
    result = evaluate(case.policy, *given, settings=case.settings)
    assert result.found(change.expect), result.findings


@pytest.mark.parametrize(("case", "change"), BREAKS)
def test_an_unknown_value_is_listed_and_never_passes_silently(case: Case, change: Break) -> None:
    """An unknown value in place of a violation is a finding or unevaluated."""
    changes = {path: value for path, value in change.changes.items() if value is not DROP}
    if not changes or case.policy in LOOKS_AT_WHAT_IS_WRITTEN:
        return
    unknown = Break(dict.fromkeys(changes, UNKNOWN), "", change.index)
    result = evaluate(case.policy, *case.broken(unknown), settings=case.settings)
    assert not result.clean


def test_every_policy_has_cases_that_pass_and_that_fail() -> None:
    passing = {case.policy for case in CASES}
    failing = {case.policy for case in CASES if case.breaks}
    missing = [rule.name for rule in RULES if rule.name not in passing & failing]
    assert missing == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_policy_has_description_severity_and_remediation(rule: Rule) -> None:
    assert rule.description.endswith(".")
    assert rule.remediation.endswith(".")
    assert {tag.split(":")[0] for tag in rule.tags} & FRAMEWORKS.keys(), "names no framework"
    made = rule.policy()
    assert (made.name, made.description, made.severity) == (rule.name, rule.description, rule.severity)
    assert made.framework is not None
    assert made.remediation_steps == rule.remediation
    for key, schema in rule.settings.items():
        assert schema["type"] in ("string", "boolean", "integer", "number", "array", "object"), key
        assert schema["description"].endswith("."), key


def test_cases_name_existing_policies() -> None:
    for case in CASES:
        assert named(case.policy).name == case.policy
