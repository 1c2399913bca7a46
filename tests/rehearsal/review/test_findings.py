"""Findings over several stacks: merged, sorted by urgency, grouped by cause."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies.api import RULES
from rehearsal.engine.events import PropertyChange, Remediation, Result, Violation
from rehearsal.pulumi.properties import Change
from rehearsal.pulumi.urn import ROOT_STACK_TYPE, make_urn
from rehearsal.review.findings import (
    Finding,
    RuleInfo,
    causes,
    gather,
    gather_remedied,
    is_security,
    rules,
)
from tests.rehearsal.review.factories import POD, violation


def results(**violations: tuple[Violation, ...]) -> list[Result]:
    return [Result(stack, violations=found) for stack, found in violations.items()]


def finding(rule: str, resource: str, *stacks: str, level: str = "advisory") -> Finding:
    return Finding(RuleInfo(rule, ""), level, "m", resource, POD, "infra/pods.py", 1, stacks or ("dev",))


# -- one finding ------------------------------------------------------------------------------------------


def test_finding_has_resource_source_and_the_metadata_of_the_pack() -> None:
    ((found,), _) = gather(results(dev=(violation("dev", "pod", policy="pss-privileged"),)))
    assert (found.resource, found.type, found.file, found.line) == ("pod", POD, "infra/pods.py", 12)
    assert found.rule == rules()["pss-privileged"]
    assert found.rule.severity


def test_rule_of_another_pack_has_the_description_of_its_finding() -> None:
    ((found,), _) = gather(results(dev=(violation("dev", "pod", policy="unknown-rule"),)))
    assert found.rule == RuleInfo("unknown-rule", "Nothing runs as root.")


@pytest.mark.parametrize("urn", ["", "not-a-urn", make_urn("dev", "kingdom", ROOT_STACK_TYPE, "kingdom-dev")])
def test_finding_on_the_whole_stack_has_no_resource(urn: str) -> None:
    ((found,), _) = gather(results(dev=(replace(violation("dev", "pod"), urn=urn),)))
    assert (found.resource, found.type) == ("", "")


@pytest.mark.parametrize(
    ("source", "place", "text"),
    [
        ("infra/pods.py:12", ("infra/pods.py", 12), "infra/pods.py:12"),
        ("infra/pods.py:12:8", ("infra/pods.py", 12), "infra/pods.py:12"),
        ("infra/a:b.py:3", ("infra/a:b.py", 3), "infra/a:b.py:3"),
        ("infra/pods.py", ("", 0), ""),
        ("", ("", 0), ""),
    ],
)
def test_place_is_read_from_the_source(source: str, place: tuple[str, int], text: str) -> None:
    ((found,), _) = gather(results(dev=(replace(violation("dev", "pod"), source=source),)))
    assert (found.place, found.source) == (place, text)


def test_place_is_the_setting_that_causes_the_finding() -> None:
    item = replace(finding("a", "pod"), setting="a:b", setting_file="stacks/Pulumi.dev.yaml", setting_line=7)
    assert (item.place, item.source) == (("stacks/Pulumi.dev.yaml", 7), "stacks/Pulumi.dev.yaml:7")
    assert replace(item, setting_line=0).place == ("infra/pods.py", 1)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("runs as root", "runs as root"),
        ("Nothing runs as root. runs as root", "runs as root"),
        ("can't run policy 'a' during preview: Nothing runs as root. because", "because"),
        ("Nothing runs as root.", "Nothing runs as root."),
    ],
)
def test_message_is_without_the_preamble_of_the_policy_sdk(message: str, text: str) -> None:
    ((found,), _) = gather(results(dev=(violation("dev", "pod", message=message),)))
    assert found.message == text


# -- all findings -----------------------------------------------------------------------------------------


def test_the_same_finding_of_several_stacks_is_one_with_its_stacks_in_order() -> None:
    # Twice in one stack, as the SDK reports a component's child.
    found, _ = gather(
        results(
            prod=(violation("prod", "pod"), violation("prod", "pod")),
            dev=(violation("dev", "pod"), violation("dev", "pod", message="another")),
        )
    )
    assert {(item.message, item.stacks) for item in found} == {
        ("runs as root", ("prod", "dev")),
        ("another", ("dev",)),
    }


def test_findings_are_sorted_by_level_severity_policy_and_place() -> None:
    severities = {rule.severity.value: rule.name for rule in reversed(RULES)}
    assert set(severities) == {"critical", "high", "medium", "low"}
    order = [severities[word] for word in ("critical", "high", "medium", "low")]
    given = [
        *(violation("dev", "pod", "advisory", policy) for policy in reversed(order)),
        violation("dev", "pod", "advisory", "of-another-pack"),
        violation("dev", "z", "mandatory", "of-another-pack"),
        violation("dev", "a", "mandatory", "of-another-pack"),
        replace(violation("dev", "y", "mandatory", "of-another-pack"), source="infra/a.py:9"),
    ]
    found, _ = gather(results(dev=tuple(given)))
    assert [(item.level, item.rule.name, item.resource) for item in found] == [
        ("mandatory", "of-another-pack", "y"),
        ("mandatory", "of-another-pack", "a"),
        ("mandatory", "of-another-pack", "z"),
        *(("advisory", name, "pod") for name in order),
        ("advisory", "of-another-pack", "pod"),
    ]


def test_unevaluated_rules_are_listed_apart() -> None:
    given = (violation("dev", "a", "unevaluated"), violation("dev", "b", "advisory"))
    found, unevaluated = gather(results(dev=given))
    assert ([item.resource for item in found], [item.resource for item in unevaluated]) == (["b"], ["a"])


def test_every_policy_of_the_pack_has_its_metadata() -> None:
    known = rules()
    assert list(known) == [rule.name for rule in RULES]
    assert all(item.description and item.remediation and item.tags for item in known.values())


@pytest.mark.parametrize(
    ("tags", "security"),
    [
        ((), False),
        (("tls",), True),
        (("pod-security",), True),
        (("plaintext-secrets",), True),
        (("workloads", "PSS:restricted"), True),
        (("workloads", "CIS-GKE:5.2"), True),
        (("workloads", "tls"), False),  # the concern is the first tag
        (("costs", "PSSX:1"), False),
    ],
)
def test_rule_is_about_security_by_its_concern_or_benchmark(tags: tuple[str, ...], security: bool) -> None:
    assert is_security(RuleInfo("a", "", tags=tags)) is security


# -- causes -----------------------------------------------------------------------------------------------


def test_one_rule_that_finds_many_resources_is_one_cause() -> None:
    found = [finding("labels", name) for name in "abc"]
    assert causes(found) == [found]


def test_many_rules_that_find_one_resource_are_one_cause() -> None:
    found = [finding(rule, "web") for rule in ("a", "b", "c")]
    assert causes(found) == [found]


def test_each_finding_is_in_the_larger_of_its_groups_and_in_one_only() -> None:
    labels = [finding("labels", name) for name in ("web", "x", "y")]
    others = [finding(rule, "web") for rule in ("a", "b")]
    # Three by the rule, three by the resource: the rule comes first, the resource keeps the rest.
    assert causes([*labels, *others]) == [labels, others]
    more = finding("c", "web")
    assert causes([*labels, *others, more]) == [[labels[0], *others, more], labels[1:]]


def test_findings_of_other_levels_stacks_or_the_whole_stack_have_causes_of_their_own() -> None:
    levels = [finding("labels", "a"), finding("labels", "b", level="mandatory")]
    assert causes(levels) == [[levels[0]], [levels[1]]]
    stacks = [finding("a", "web", "dev"), finding("b", "web", "prod")]
    assert causes(stacks) == [[stacks[0]], [stacks[1]]]
    whole = [finding("a", ""), finding("b", "")]
    assert causes(whole) == [[whole[0]], [whole[1]]]
    assert causes([]) == []


# -- remediations -----------------------------------------------------------------------------------------


def remediation(stack: str, name: str, policy: str, value: object = 1) -> Remediation:
    change = PropertyChange(("labels", "team"), Change.ADD, None, value)
    return Remediation(policy, "kingdom", make_urn(stack, "kingdom", POD, name), "infra/pods.py:1", (change,))


def test_equal_remediations_of_several_stacks_are_one_sorted_by_policy_and_place() -> None:
    found = gather_remedied(
        [
            Result("dev", remediations=(remediation("dev", "a", "z"), remediation("dev", "a", "labels"))),
            Result(
                "prod",
                remediations=(
                    remediation("prod", "a", "labels"),
                    remediation("prod", "a", "labels"),
                    remediation("prod", "a", "labels", value=2),
                ),
            ),
        ]
    )
    assert [(item.policy, item.changes[0].new, stacks) for item, stacks in found] == [
        ("labels", 1, ("dev", "prod")),
        ("labels", 2, ("prod",)),
        ("z", 1, ("dev",)),
    ]
