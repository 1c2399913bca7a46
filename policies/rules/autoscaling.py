"""Autoscalers and disruption budgets that can do their work: sane bounds, one owner for each number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pulumi_policy import Severity

from policies.model.peak_demand import ACTING
from policies.model.pods import PodTemplate
from policies.model.property_tree import Finding, Node
from policies.model.quantities import int_or_percent
from policies.model.scale_targets import SCALABLE, Scaling, key_of, matches, policy_of
from policies.model.stack import Object, Stack
from policies.pack.rule import ADVISORY, Settings, stack_rule

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
    for item in stack.of_kind("HorizontalPodAutoscaler"):
        key = scaling.target_of(item, "scaleTargetRef")
        spec = item.node["spec"]
        if scaling.horizontal[key] is not item and key[2]:
            yield spec["scaleTargetRef"].finding(f"another one scales {key[1]} {key[2]!r} too")
        least, most = spec["minReplicas"], spec["maxReplicas"]
        if least.known() and least.number(1) < settings["fewest"]:
            yield least.finding(f"must be at least {int(settings['fewest'])}")
        if most.known() and most.number() > settings["most"]:
            yield most.finding(f"must be at most {int(settings['most'])}")
        if least.known() and most.known() and most.number() < least.number(1):
            yield most.finding("must not be less than minReplicas")
        # Its first version names no metrics: it scales on CPU.
        if spec["metrics"].like(None, []) and item.api_version != "autoscaling/v1":
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
        one = metric["containerResource"].present
        measured = metric["containerResource" if one else "resource"]
        if not measured.at("target", "type").like("Utilization") or not measured["name"].known():
            continue
        resource = measured["name"].text()
        for pod, container in _containers(templates):
            asked, whole = container["resources"], pod.spec["resources"]
            if one and container["name"].unlike(measured["container"].text()):
                continue
            if not one and not whole.at("requests", resource).like(None):
                continue
            if asked.at("requests", resource).like(None) and asked.at("limits", resource).like(None):
                yield asked.at("requests", resource).finding(
                    f"the HPA measures {resource} against a request that is missing"
                )


def _containers(pods: list[PodTemplate]) -> Iterator[tuple[PodTemplate, Node]]:
    return ((pod, found) for pod in pods for found in pod.containers("containers"))


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
    pods = {key_of(item): pod for found in scaling.workloads.values() for item, pod in found}
    for vertical in stack.of_kind("VerticalPodAutoscaler"):
        key = scaling.target_of(vertical, "targetRef")
        horizontal = scaling.horizontal.get(key)
        spec = vertical.node["spec"]
        if horizontal is None or not spec.at("updatePolicy", "updateMode").like(None, *ACTING):
            continue
        for resource in sorted(_measured(horizontal) & _controlled(vertical, pods.get(key))):
            yield spec["resourcePolicy"].finding(
                f"the VPA changes requests of {resource}, which the HPA measures"
            )


def _measured(horizontal: Object) -> set[str]:
    """The resources that an HPA scales on; CPU is what it takes without metrics."""
    metrics = list(horizontal.node.at("spec", "metrics").items())
    if not metrics:
        return {"cpu"}
    return {
        metric.at(part, "name").text() for metric in metrics for part in ("resource", "containerResource")
    }


def _controlled(vertical: Object, pod: PodTemplate | None) -> set[str]:
    """The resources that a VPA may change in any container of its target (in any that it names, without)."""
    policies = list(vertical.node.at("spec", "resourcePolicy", "containerPolicies").items())
    named: list[Node | None] = list(policies) or [None]
    if pod is not None:
        names = [container["name"].text() for container in pod.containers("containers")]
        named = [policy_of(vertical, name) for name in names]
    found: set[str] = set()
    for policy in named:
        if policy is None:
            found |= {"cpu", "memory"}
        elif not policy["mode"].like("Off"):
            listed = policy["controlledResources"]
            found |= {str(item.raw) for item in listed.items()} if listed.present else {"cpu", "memory"}
    return found


def _budgets(stack: Stack) -> Iterator[tuple[Object, Object, int]]:
    """Disruption budgets with each workload they select and the fewest replicas it has.

    Pods of daemon sets and jobs are left out: a drain does not evict the first, and the second end.
    """
    scaling = Scaling(stack)
    for budget in stack.of_kind("PodDisruptionBudget"):
        for item, _ in scaling.selected_by(budget.node.at("spec", "selector"), budget.namespace):
            if item.kind in SCALABLE:
                yield budget, item, scaling.replicas(item)[0]


@stack_rule(
    "pdb-lets-nodes-drain",
    "Node upgrades never wait for ever: a disruption budget lets at least one pod go.",
    steps="Lower minAvailable below the fewest replicas, or set maxUnavailable to at least 1.",
    severity=Severity.HIGH,
    tags=("SOC2:A1.2", "KUB6"),
)
def pdb_lets_nodes_drain(stack: Stack, _: Settings) -> Iterator[Finding]:
    budgeted: set[tuple[str, str, str]] = set()
    for budget, item, fewest in _budgets(stack):
        if key_of(item) in budgeted and item.namespace != "?":
            selector = budget.node.at("spec", "selector")
            yield selector.finding(f"{item.label} has two budgets, for which no eviction is allowed")
        budgeted.add(key_of(item))
        spec = budget.node["spec"]
        neither = spec["minAvailable"].like(None) and spec["maxUnavailable"].like(None)
        for field in ("minAvailable", "maxUnavailable"):
            node = spec[field]
            raw = 1 if neither and field == "minAvailable" else node.raw  # what the API server fills in
            value = int_or_percent(raw, fewest, up=True) if raw is not None and node.known() else None
            spare = None if value is None else fewest - value if field == "minAvailable" else value
            if spare is not None and fewest > 0 and spare < 1:
                yield node.finding(f"{raw} lets none of the {fewest} pods of {item.label} go")


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
