"""Remediations change only what violates the policy, and no explicit setting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from policies.rules import RULES
from policies.testing import ResourceFixture, evaluate, remedied
from rehearsal.cli import display
from rehearsal.engine.events import Result
from rehearsal.engine.policy_checks import PolicyChecks
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.policy.pack import PolicyPack
from rehearsal.pulumi.properties import UNKNOWN, Properties, Secret
from rehearsal.review.formats.json_report import report
from rehearsal.review.formats.markdown import markdown
from tests.infra.rehearsal import ROOT
from tests.policies.cases import Break, Case
from tests.policies.test_cases import CASES
from tests.rehearsal.review.factories import review_of, stack_of

POD = "kubernetes:core/v1:Pod"
REMEDIED = [rule.name for rule in RULES if rule.remedy is not None]
CONTAINER = {"name": "a", "env": [{"name": "KEY", "value": Secret("tiger")}, {"value": UNKNOWN}]}
LABEL = "app.kubernetes.io/part-of"


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a"}, "spec": {"containers": [CONTAINER]} | spec}


def resource(inputs: Properties) -> ResourceState:
    urn = f"urn:pulumi:s::p::{POD}::a"
    return ResourceState(urn=urn, type=POD, custom=True, inputs=inputs, source_position="infra/a.py:7")


@pytest.fixture(scope="module")
def pack() -> Iterator[PolicyPack]:
    """Start the pack for a stack that enables every remediation."""
    config = {"policies:config": json.dumps(dict.fromkeys(REMEDIED, "remediate"))}
    with PolicyPack.start(
        ROOT / "policies", project="p", stack="s", dry_run=True, stack_config=config
    ) as found:
        yield found


def test_labels_seccomp_and_tokens_have_a_remedy() -> None:
    assert sorted(REMEDIED) == ["labels", "pss-seccomp", "service-account-token"]


@pytest.mark.parametrize(
    ("case", "change"),
    [(case, change) for case in CASES if case.policy in REMEDIED for change in case.breaks],
    ids=lambda value: getattr(value, "policy", ""),
)
def test_a_remediation_fixes_the_finding_and_is_idempotent(case: Case, change: Break) -> None:
    for given in case.broken(change):
        remediated = remedied(case.policy, given, case.settings)
        if remediated is not None:
            assert evaluate(case.policy, given, settings=case.settings).findings
            assert remedied(case.policy, ResourceFixture(given.type, remediated), case.settings) is None


@pytest.mark.parametrize("policy", REMEDIED)
def test_compliant_resources_are_not_changed(policy: str) -> None:
    right = pod(securityContext={"seccompProfile": {"type": "Localhost"}}, automountServiceAccountToken=False)
    right["metadata"]["labels"] = {LABEL: "else"}
    assert remedied(policy, ResourceFixture(POD, right)) is None


def test_explicit_settings_are_not_remediated() -> None:
    declared = pod(
        securityContext={"seccompProfile": {"type": "Unconfined"}}, automountServiceAccountToken=True
    )
    assert remedied("pss-seccomp", ResourceFixture(POD, declared)) is None
    assert remedied("service-account-token", ResourceFixture(POD, declared)) is None


def test_pods_that_need_their_token_keep_it() -> None:
    assert remedied("service-account-token", ResourceFixture(POD, pod()), {"needed": ["a"]}) is None


def test_windows_pods_get_no_seccomp_profile() -> None:
    assert remedied("pss-seccomp", ResourceFixture(POD, pod(os={"name": "windows"}))) is None


def test_secret_and_unknown_values_are_passed_on_unchanged(pack: PolicyPack) -> None:
    inputs = pod()
    remediated = PolicyChecks(pack).remediate(resource(inputs), None)
    assert remediated["spec"]["containers"] == inputs["spec"]["containers"]
    assert remediated["spec"]["automountServiceAccountToken"] is False
    assert remediated["spec"]["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert remediated["metadata"] == {"name": "a", "labels": {LABEL: "kingdom"}}


@pytest.mark.parametrize("unknown", ["metadata", "labels", "spec", "securityContext"])
def test_unknown_values_are_not_rewritten(pack: PolicyPack, unknown: str) -> None:
    inputs: dict[str, Any] = pod(securityContext={})
    inputs["metadata"]["labels"] = {}
    parent = inputs if unknown in inputs else inputs["spec" if unknown == "securityContext" else "metadata"]
    parent[unknown] = UNKNOWN
    remediated = PolicyChecks(pack).remediate(resource(inputs), None)
    at = (
        remediated
        if unknown in remediated
        else remediated["spec" if unknown == "securityContext" else "metadata"]
    )
    assert at[unknown] is UNKNOWN


def test_a_remediation_is_shown_as_a_diff_with_its_line(pack: PolicyPack) -> None:
    judging = PolicyChecks(pack)
    judging.remediate(resource(pod()), None)
    result = Result("s", remediations=judging.remediations, policy_pack="kingdom")
    console = Console(width=200)
    with console.capture() as captured:
        display.show(console, result)
    text = captured.get()
    assert "remedied pss-seccomp: a (infra/a.py:7)" in text
    assert '+ spec.securityContext: {"seccompProfile": {"type": "RuntimeDefault"}}' in text
    assert "unknown" not in text
    remediations = {
        item["policy"]: item["changes"] for item in display.to_json(result, seconds=1)["remediations"]
    }
    assert sorted(remediations) == sorted(REMEDIED)
    assert remediations["service-account-token"] == [
        {
            "path": "spec.automountServiceAccountToken",
            "kind": "add",
            "old": None,
            "new": False,
            "replaces": False,
        }
    ]


def test_a_review_shows_it_once_for_all_stacks(pack: PolicyPack) -> None:
    judging = PolicyChecks(pack)
    judging.remediate(resource(pod()), None)
    found = tuple(judging.remediations)
    review = review_of(stack_of("dev", remediations=found), stack_of("prod", remediations=found))
    text = markdown(review)
    assert text.count("`pss-seccomp`: `infra/a.py:7` `a` in `prod`, `dev`") == 1
    assert [item["stacks"] for item in report(review)["remediations"]] == [["dev", "prod"]] * 3
