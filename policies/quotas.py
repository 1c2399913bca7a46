"""Quotas: every namespace has limits, and they are proven to hold what the workloads can grow to."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.nodes import Finding
from policies.rules import Settings, stack_rule
from policies.stack import Stack


@stack_rule(
    "namespace-quota",
    "No namespace can take the whole cluster: each has a ResourceQuota on CPU, memory and pods.",
    steps="Declare a ResourceQuota for requests.cpu, requests.memory and pods in the namespace.",
    severity=Severity.HIGH,
    tags=("CIS-GKE:5.7.1", "SOC2:A1.1", "KUB5"),
    house=True,
)
def namespace_quota(stack: Stack, _: Settings) -> Iterator[Finding]:
    quotas = stack.of_kind("ResourceQuota")
    for namespace in stack.of_kind("Namespace"):
        own = [quota for quota in quotas if quota.namespace == namespace.name]
        keys = {key for quota in own for key, _ in quota.node.at("spec", "hard").entries()}
        if not own and not any(
            quota.namespace == "?" and not quota.node.at("metadata", "namespace").known() for quota in quotas
        ):
            yield namespace.node.finding(f"{namespace.label} has no ResourceQuota")
        elif own:
            for wanted in (("requests.cpu", "cpu"), ("requests.memory", "memory"), ("pods", "count/pods")):
                if not keys & set(wanted):
                    yield (
                        own[0]
                        .node.at("spec", "hard")
                        .finding(f"{namespace.label} has no quota on {wanted[0]}")
                    )


@stack_rule(
    "namespace-limit-range",
    "A container without limits cannot starve its neighbours: each namespace has a LimitRange with defaults.",
    steps="Declare a LimitRange of type Container with default and defaultRequest in the namespace.",
    severity=Severity.MEDIUM,
    tags=("CIS-GKE:5.7.1", "SOC2:A1.1", "KUB5"),
    house=True,
)
def namespace_limit_range(stack: Stack, _: Settings) -> Iterator[Finding]:
    ranges = stack.of_kind("LimitRange")
    covered = {item.namespace for item in ranges}
    for namespace in stack.of_kind("Namespace"):
        if namespace.name in covered:
            continue
        if not any(
            item.namespace == "?" and not item.node.at("metadata", "namespace").known() for item in ranges
        ):
            yield namespace.node.finding(f"{namespace.label} has no LimitRange")
