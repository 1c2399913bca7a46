"""Policy checks: messages to the pack, and findings and remediations from its responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pulumi.runtime.proto import analyzer_pb2

from rehearsal.engine.policy_checks import PolicyChecks
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.errors import KingdomError
from rehearsal.pulumi.properties import UNKNOWN, Secret, decode, encode

TYPE = "toy:index:Thing"
PROVIDER = ResourceState(
    "urn:pulumi:dev::p::pulumi:providers:toy::main",
    "pulumi:providers:toy",
    True,
    id="1",
    inputs={"region": "x"},
)
THING = ResourceState(
    f"urn:pulumi:dev::p::{TYPE}::a",
    TYPE,
    True,
    inputs={"size": 1, "password": Secret("hidden")},
    outputs={"size": 1, "address": "10.0.0.1"},
    provider=f"{PROVIDER.urn}::1",
    parent="urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev",
    protect=True,
    custom_timeouts={"create": 60.0},
    source_position="__main__.py:4",
)


def finding(policy: str, message: str, level: Any = analyzer_pb2.MANDATORY, urn: str = "") -> Any:
    return analyzer_pb2.AnalyzeDiagnostic(
        policyName=policy, policyPackName="pack", message=message, enforcementLevel=level, urn=urn
    )


class Pack:
    """Pack with given responses that records the requests."""

    label = "pack 1.0.0"

    def __init__(
        self, findings: Sequence[Any] = (), remediations: Sequence[analyzer_pb2.Remediation] = ()
    ) -> None:
        self.findings = list(findings)
        self.remediations = list(remediations)
        self.requests: list[Any] = []

    @property
    def remediates(self) -> bool:
        return bool(self.remediations)

    def analyze(self, request: analyzer_pb2.AnalyzeRequest) -> list[Any]:
        self.requests.append(request)
        return self.findings

    def analyze_stack(self, request: analyzer_pb2.AnalyzeStackRequest) -> list[Any]:
        self.requests.append(request)
        return self.findings

    def remediate(self, request: analyzer_pb2.AnalyzeRequest) -> list[analyzer_pb2.Remediation]:
        self.requests.append(request)
        return self.remediations


def test_without_a_pack_there_are_no_findings_and_inputs_stay() -> None:
    checks = PolicyChecks(None)
    assert checks.resource(THING, None) == checks.stack([THING]) == []
    assert checks.remediate(THING, None) is THING.inputs


def test_resource_policies_receive_inputs_options_and_provider() -> None:
    pack = Pack()
    PolicyChecks(pack).resource(THING, PROVIDER)
    [request] = pack.requests
    assert (request.urn, request.type, request.name) == (THING.urn, TYPE, "a")
    assert decode(request.properties)["size"] == 1
    assert (request.options.protect, request.options.parent) == (True, THING.parent)
    assert request.options.customTimeouts.create == 60
    assert decode(request.provider.properties) == {"region": "x"}


def test_stack_policies_receive_outputs_and_the_provider_of_each_resource() -> None:
    pack = Pack()
    PolicyChecks(pack).stack([PROVIDER, THING])
    _, thing = pack.requests[0].resources
    assert decode(thing.properties) == THING.outputs
    assert thing.provider.urn == PROVIDER.urn


def test_findings_carry_the_resource_and_the_line_of_its_declaration() -> None:
    checks = PolicyChecks(Pack([finding("one", "too small", urn=THING.urn), finding("two", "no", urn="")]))
    first, second = checks.stack([THING])
    assert (first.urn, first.source) == (THING.urn, "__main__.py:4")
    assert (second.urn, second.source) == ("urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev", "")
    [own, _] = checks.resource(THING, None)
    assert (own.urn, own.source) == (THING.urn, "__main__.py:4")


def test_finding_about_an_unknown_resource_is_one_of_the_stack() -> None:
    [found] = PolicyChecks(Pack([finding("one", "no", urn=f"{THING.urn}-2")])).stack([THING])
    assert (found.urn, found.source) == (THING.parent, "")


@pytest.mark.parametrize(
    ("level", "message", "expected"),
    [
        (analyzer_pb2.MANDATORY, "too small", "mandatory"),
        (analyzer_pb2.ADVISORY, "too small", "advisory"),
        (analyzer_pb2.ADVISORY, "can't run policy 'one' during preview: size is unknown", "unevaluated"),
    ],
)
def test_level_of_a_finding(level: Any, message: str, expected: str) -> None:
    [found] = PolicyChecks(Pack([finding("one", message, level)])).resource(THING, None)
    assert found.level == expected
    assert found.mandatory == (expected == "mandatory")


def test_all_findings_are_listed_once_and_mandatory_first() -> None:
    pack = Pack([finding("b", "m", analyzer_pb2.ADVISORY), finding("c", "m"), finding("a", "m")])
    checks = PolicyChecks(pack)
    checks.resource(THING, None)
    checks.resource(THING, None)
    assert [(item.policy, item.level) for item in checks.violations] == [
        ("a", "mandatory"),
        ("c", "mandatory"),
        ("b", "advisory"),
    ]


def remedy(**properties: Any) -> analyzer_pb2.Remediation:
    return analyzer_pb2.Remediation(
        policyName="fix", policyPackName="pack", properties=encode(properties) if properties else None
    )


def test_remediations_are_applied_in_turn_and_keep_secrets() -> None:
    pack = Pack([], [remedy(size=2, password="hidden"), remedy(size=3, password="hidden")])
    checks = PolicyChecks(pack)
    assert checks.remediate(THING, PROVIDER) == {"size": 3, "password": Secret("hidden")}
    first, second = checks.remediations
    assert [(change.path, change.old, change.new) for change in first.changes] == [(("size",), 1, 2)]
    assert [(change.old, change.new) for change in second.changes] == [(2, 3)]
    assert (first.policy, first.urn, first.source) == ("fix", THING.urn, "__main__.py:4")


def test_response_without_properties_changes_nothing() -> None:
    checks = PolicyChecks(Pack([], [remedy(), analyzer_pb2.Remediation(policyName="fix")]))
    assert checks.remediate(THING, None) is THING.inputs
    assert checks.remediations == []


def test_pack_without_remediations_is_not_called_for_them() -> None:
    pack = Pack()
    assert PolicyChecks(pack).remediate(THING, None) is THING.inputs
    assert pack.requests == []


class FailingPack(Pack):
    """A pack that ended."""

    def analyze(self, request: analyzer_pb2.AnalyzeRequest) -> list[Any]:
        raise KingdomError("the policy pack ended")


def test_a_second_pack_has_findings_of_its_own_in_the_same_order() -> None:
    second = Pack([finding("b", "b", analyzer_pb2.ADVISORY), finding("a", "a")])
    checks = PolicyChecks(Pack([finding("one", "one")]), second)
    assert [found.policy for found in checks.resource(THING, None)] == ["one"]
    checks.stack([THING])
    alone = PolicyChecks(second)
    alone.resource(THING, None)
    alone.stack([THING])
    assert {found.policy for found in checks.violations} == {"one"}
    assert checks.compared == alone.violations
    assert [found.policy for found in alone.violations] == ["a", "a", "b", "b"]


@pytest.mark.parametrize(
    ("pack", "second"),
    [
        (Pack([]), None),
        (Pack([]), FailingPack([])),
        (Pack([], [remedy(size=2)]), Pack([])),
        (Pack([]), Pack([], [remedy(size=2)])),
    ],
    ids=["none", "failed", "first rewrites inputs", "second rewrites inputs"],
)
def test_without_a_second_pack_that_leaves_the_plan_as_it_is_nothing_is_compared(
    pack: Pack, second: Pack | None
) -> None:
    checks = PolicyChecks(pack, second)
    checks.resource(THING, None)
    assert checks.compared is None


def test_unknown_inputs_are_not_changes_of_a_remediation() -> None:
    thing = ResourceState(THING.urn, TYPE, True, inputs={"size": 1, "name": UNKNOWN})
    checks = PolicyChecks(Pack([], [remedy(size=2, name="anything")]))
    checks.remediate(thing, None)
    assert [change.path for change in checks.remediations[0].changes] == [("size",)]
