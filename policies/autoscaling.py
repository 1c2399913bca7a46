"""Autoscalers and disruption budgets that can do their work: sane bounds, one owner for each number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pulumi_policy import Severity

from policies.demand import ACTING
from policies.nodes import Finding, Node
from policies.quantities import int_or_percent
from policies.rules import ADVISORY, Settings, stack_rule
from policies.scaling import Scaling, matches
from policies.stack import Object, Stack

_TAGS: Final = ("SOC2:A1.1", "KUB1")


@stack_rule(
    "hpa-target-without-replicas",
    "An update never undoes what the autoscaler did: the target of an HPA names no replicas of its own.",
    steps="Remove spec.replicas from the workload; the HPA's minReplicas is what it starts from.",
    severity=Severity.HIGH,
    tags=_TAGS,
    url="https://github.com/pulumi/pulumi/issues/13321",
)
def hpa_target_without_replicas(stack: Stack, _: Settings) -> Iterator[Finding]:
    scaling = Scaling(stack)
    for key in scaling.horizontal:
        target = scaling.objects.get(key)
        if target is not None and target.node.at("spec", "replicas").present:
            yield target.node.at("spec", "replicas").finding("must be left to the HorizontalPodAutoscaler")


@stack_rule(
    "hpa-bounds",
    "An autoscaler has room to move, starts from more than nothing, and can measure what it scales on.",
    steps="Keep minReplicas and maxReplicas within the bounds; request what the metrics measure.",
    severity=Severity.HIGH,
    tags=_TAGS,
    house=True,
    settings={
        "most": {
            "type": "integer",
            "default": 100,
            "minimum": 1,
            "description": "Highest maxReplicas allowed.",
        },
        "fewest": {
            "type": "integer",
            "default": 1,
            "minimum": 1,
            "description": "Lowest minReplicas allowed.",
        },
    },
)
def hpa_bounds(stack: Stack, settings: Settings) -> Iterator[Finding]:
    scaling = Scaling(stack)
    for key, item in scaling.horizontal.items():
        spec = item.node["spec"]
        least, most = spec["minReplicas"], spec["maxReplicas"]
        if least.known() and least.number(1) < settings["fewest"]:
            yield least.finding(f"must be at least {int(settings['fewest'])}")
        if most.known() and most.number() > settings["most"]:
            yield most.finding(f"must be at most {int(settings['most'])}")
        if least.known() and most.known() and most.number() < least.number(1):
            yield most.finding("must not be less than minReplicas")
        if spec["metrics"].known() and not list(spec["metrics"].items()):
            yield spec["metrics"].finding("scales on nothing")
        yield from _unmeasured(scaling, key, spec)


def _unmeasured(scaling: Scaling, key: tuple[str, str, str], spec: Node) -> Iterator[Finding]:
    """Utilization is a share of requests: a container without one makes the HPA fail."""
    templates = [
        template
        for item, template in scaling.workloads.get(key[0], ())
        if item.kind == key[1] and item.name == key[2]
    ]
    for metric in spec["metrics"].items():
        if not metric.at("resource", "target", "type").like("Utilization"):
            continue
        if not metric.at("resource", "name").known():
            continue
        resource = metric.at("resource", "name").text()
        for container in (found for template in templates for found in template.containers("containers")):
            asked = container["resources"]
            if asked.at("requests", resource).like(None) and asked.at("limits", resource).like(None):
                yield asked.at("requests", resource).finding(
                    f"the HPA measures {resource} against a request that is missing"
                )


@stack_rule(
    "hpa-target-exists",
    "Autoscalers and disruption budgets mean something that is there.",
    steps="Name an existing workload in scaleTargetRef or targetRef, or select its labels.",
    severity=Severity.MEDIUM,
    tags=_TAGS,
    house=True,
)
def hpa_target_exists(stack: Stack, _: Settings) -> Iterator[Finding]:
    scaling = Scaling(stack)
    # Whatever is not known by name yet may be what is meant.
    unnamed = {item.kind for item in stack.objects if not item.identified}
    kinds = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"}
    for found, field in ((scaling.horizontal, "scaleTargetRef"), (scaling.vertical, "targetRef")):
        for key, item in found.items():
            known = key[0] != "?" and key[1] in kinds - unnamed and key[2]
            if known and key not in scaling.objects:
                yield item.node.at("spec", field).finding(
                    f"there is no {key[1]} {key[2]!r} in namespace {key[0]!r}"
                )


@stack_rule(
    "hpa-vpa-conflict",
    "HPA and VPA never pull at the same resource, which makes both swing.",
    steps="Let the VPA control only resources that the HPA does not measure, or set its updateMode to Off.",
    severity=Severity.HIGH,
    tags=(*_TAGS, "KUB2"),
    url="https://cloud.google.com/kubernetes-engine/docs/concepts/verticalpodautoscaler",
)
def hpa_vpa_conflict(stack: Stack, _: Settings) -> Iterator[Finding]:
    scaling = Scaling(stack)
    for key, vertical in scaling.vertical.items():
        horizontal = scaling.horizontal.get(key)
        spec = vertical.node["spec"]
        if horizontal is None or not spec.at("updatePolicy", "updateMode").like(None, *ACTING):
            continue
        measured = {
            metric.at(part, "name").text()
            for metric in horizontal.node.at("spec", "metrics").items()
            for part in ("resource", "containerResource")
        }
        policies = list(spec.at("resourcePolicy", "containerPolicies").items())
        acting = [policy for policy in policies if not policy["mode"].like("Off")]
        controlled = (
            {str(item.raw) for policy in acting for item in policy["controlledResources"].items()}
            if acting and all(policy["controlledResources"].present for policy in acting)
            else {"cpu", "memory"}
        )
        if policies and not acting:
            controlled = set()
        for resource in sorted(measured & controlled):
            yield spec["resourcePolicy"].finding(
                f"the VPA changes requests of {resource}, which the HPA measures"
            )


def _budgets(stack: Stack) -> Iterator[tuple[Object, Object, int]]:
    """Disruption budgets with each workload they select and the fewest replicas it has."""
    scaling = Scaling(stack)
    for budget in stack.of_kind("PodDisruptionBudget"):
        for item, _ in scaling.selected_by(budget.node.at("spec", "selector"), budget.namespace):
            yield budget, item, scaling.replicas(item)[0]


@stack_rule(
    "pdb-lets-nodes-drain",
    "Node upgrades never wait for ever: a disruption budget lets at least one pod go.",
    steps="Lower minAvailable below the fewest replicas, or set maxUnavailable to at least 1.",
    severity=Severity.HIGH,
    tags=("SOC2:A1.2", "KUB6"),
)
def pdb_lets_nodes_drain(stack: Stack, _: Settings) -> Iterator[Finding]:
    for budget, item, fewest in _budgets(stack):
        spec = budget.node["spec"]
        for field in ("minAvailable", "maxUnavailable"):
            node = spec[field]
            value = int_or_percent(node.raw, fewest, up=True) if node.present and node.known() else None
            spare = None if value is None else fewest - value if field == "minAvailable" else value
            if spare is not None and fewest > 0 and spare < 1:
                yield node.finding(f"{node.raw} lets none of the {fewest} pods of {item.label} go")


@stack_rule(
    "pdb-keeps-some",
    "A drain never takes a service away: every replicated workload has a budget that keeps pods running.",
    steps="Declare a PodDisruptionBudget with maxUnavailable below the fewest replicas.",
    severity=Severity.MEDIUM,
    tags=("SOC2:A1.2", "KUB6"),
    house=True,
)
def pdb_keeps_some(stack: Stack, _: Settings) -> Iterator[Finding]:
    covered = set()
    for budget, item, fewest in _budgets(stack):
        covered.add((item.namespace, item.kind, item.name))
        spec = budget.node["spec"]
        node = spec["maxUnavailable"]
        value = int_or_percent(node.raw, fewest, up=True) if node.present and node.known() else None
        if value is not None and fewest > 1 and value >= fewest:
            yield node.finding(f"{node.raw} lets all {fewest} pods of {item.label} go at once")
        if spec["minAvailable"].like(0, "0", "0%"):
            yield spec["minAvailable"].finding(f"keeps no pod of {item.label}")
    budgets = stack.of_kind("PodDisruptionBudget")
    # Which workloads a budget means that is not known yet, nobody can say.
    if [item for item in budgets if not (item.identified and item.node.at("spec", "selector").known())]:
        return
    scaling = Scaling(stack)
    for namespace, workloads in scaling.workloads.items():
        for item, template in workloads:
            replicated = item.kind in ("Deployment", "StatefulSet") and scaling.replicas(item)[0] > 1
            if not replicated or namespace == "?" or (namespace, item.kind, item.name) in covered:
                continue
            # A budget that might mean these pods, by labels that are not known yet, may be the one missed.
            with item.node.watched() as unknown:
                template.labels.known()
                for budget in budgets:
                    if budget.namespace == namespace:
                        matches(budget.node.at("spec", "selector"), template.labels)
            if not unknown:
                yield item.node.finding(f"{item.label} has no PodDisruptionBudget")


@stack_rule(
    "hpa-scales-down-slowly",
    "A short lull does not throw away the capacity that the next wave needs.",
    steps="Set behavior.scaleDown.stabilizationWindowSeconds to at least the configured seconds.",
    severity=Severity.LOW,
    level=ADVISORY,
    tags=_TAGS,
    settings={
        "seconds": {
            "type": "integer",
            "default": 120,
            "minimum": 0,
            "description": "Shortest window allowed.",
        }
    },
)
def hpa_scales_down_slowly(stack: Stack, settings: Settings) -> Iterator[Finding]:
    for item in stack.of_kind("HorizontalPodAutoscaler"):
        window = item.node.at("spec", "behavior", "scaleDown", "stabilizationWindowSeconds")
        # The default of Kubernetes is 300 seconds.
        if window.known() and window.number(300) < settings["seconds"]:
            yield window.finding(f"{window.raw} seconds is less than {int(settings['seconds'])}")
