"""Autoscalers and disruption budgets: valid bounds, existing targets, no conflicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Final

from pulumi_policy import Severity

from policies.model.limit_range_defaults import Defaults, defaults_by_namespace
from policies.model.peak_demand import ACTING
from policies.model.pods import PodTemplate, running_containers
from policies.model.property_tree import Finding, Node
from policies.model.quantities import int_or_percent
from policies.model.scale_targets import SCALABLE, Key, Scaling, key_of, policy_of
from policies.model.stack import Object, Stack
from policies.pack.rule import ADVISORY, Settings, rule

CONCERN: Final = "autoscaling"
_TAGS: Final = ("SOC2:A1.1", "KUB1")


@rule(
    "hpa-target-without-replicas",
    "A workload scaled by a HorizontalPodAutoscaler must not set replicas. "
    "Every update resets the autoscaler otherwise.",
    concern=CONCERN,
    scope="stack",
    remediation="Remove spec.replicas from the workload; the HPA's minReplicas is what it starts from.",
    severity=Severity.HIGH,
    tags=_TAGS,
    url="https://github.com/pulumi/pulumi/issues/13321",
)
def hpa_target_without_replicas(stack: Stack, _: Settings) -> Iterator[Finding]:
    scaling = Scaling.of(stack)
    for key, scaler in scaling.horizontal.items():
        target = scaling.near(scaler, key)
        if target is not None and target.node.at("spec", "replicas").present:
            yield target.node.at("spec", "replicas").finding("must be left to the HorizontalPodAutoscaler")


@rule(
    "hpa-bounds",
    "A HorizontalPodAutoscaler must have replica bounds within the configured limits, and its "
    "containers must request what its metrics measure. "
    "It cannot scale otherwise.",
    concern=CONCERN,
    scope="stack",
    remediation="Keep minReplicas and maxReplicas within the bounds; request what the metrics measure.",
    severity=Severity.HIGH,
    tags=_TAGS,
    platform_specific=True,
    settings={
        "maxReplicas": {
            "type": "integer",
            "default": 100,
            "minimum": 1,
            "description": "Maximum of maxReplicas.",
        },
        "minReplicas": {
            "type": "integer",
            "default": 1,
            "minimum": 1,
            "description": "Minimum of minReplicas.",
        },
    },
)
def hpa_bounds(stack: Stack, settings: Settings) -> Iterator[Finding]:
    scaling = Scaling.of(stack)
    for item in stack.of_kind("HorizontalPodAutoscaler"):
        key = scaling.target_of(item, "scaleTargetRef")
        spec = item.node["spec"]
        if scaling.horizontal[key] is not item and key[2]:
            yield spec["scaleTargetRef"].finding(
                f"{key[1]} {key[2]!r} is already the target of another HorizontalPodAutoscaler"
            )
        minimum, maximum = spec["minReplicas"], spec["maxReplicas"]
        if minimum.known() and minimum.number(1) < settings["minReplicas"]:
            yield minimum.finding(f"must be at least {int(settings['minReplicas'])}")
        if maximum.known() and maximum.number() > settings["maxReplicas"]:
            yield maximum.finding(f"must be at most {int(settings['maxReplicas'])}")
        if minimum.known() and maximum.known() and maximum.number() < minimum.number(1):
            yield maximum.finding("must not be less than minReplicas")
        yield from _unmeasured(scaling, key, spec, defaults_by_namespace(stack).get(key[0], Defaults()))


def _unmeasured(
    scaling: Scaling, key: tuple[str, str, str], spec: Node, defaults: Defaults
) -> Iterator[Finding]:
    """Yield metrics without a request: utilization is a share of requests, so the HPA fails.

    Without metrics, the API server fills in the utilization of CPU (pkg/apis/autoscaling/v2/defaults.go).
    """
    templates = [template for _, template in scaling.by_key.get(key, ())]
    metrics = list(spec["metrics"].items())
    if spec["metrics"].is_one_of(None, []):
        metrics = [
            Node(_DEFAULT_METRIC, spec["metrics"].path, spec["metrics"].unevaluated, spec["metrics"].urn)
        ]
    for metric in metrics:
        one = metric["containerResource"].present
        measured = metric["containerResource" if one else "resource"]
        # targetAverageUtilization is the form of autoscaling/v2beta1.
        share = measured.at("target", "type").is_one_of("Utilization") or (
            measured["targetAverageUtilization"].present
        )
        if not share or not measured["name"].known():
            continue
        resource = measured["name"].text()
        for pod, container in _containers(templates):
            declared, whole = container["resources"], pod.spec["resources"]
            if one and container["name"].is_not_one_of(measured["container"].text()):
                continue
            if not one and not whole.at("requests", resource).is_one_of(None):
                continue
            unset = declared.at("requests", resource).is_one_of(None) and declared.at(
                "limits", resource
            ).is_one_of(None)
            if unset and f"requests.{resource}" not in defaults.fill({}):
                yield declared.at("requests", resource).finding(
                    f"the HPA measures {resource} against a request that is missing"
                )


_DEFAULT_METRIC: Final = {"resource": {"name": "cpu", "target": {"type": "Utilization"}}}


def _containers(pods: list[PodTemplate]) -> Iterator[tuple[PodTemplate, Node]]:
    """Return the containers that run as long as their pods: main containers and sidecars."""
    return ((pod, found) for pod in pods for found in running_containers(pod))


@rule(
    "hpa-target-exists",
    "Autoscalers and PodDisruptionBudgets must target an existing workload. They have no effect otherwise.",
    concern=CONCERN,
    scope="stack",
    remediation="Name an existing workload in scaleTargetRef or targetRef, or select its labels.",
    severity=Severity.MEDIUM,
    tags=_TAGS,
    platform_specific=True,
)
def hpa_target_exists(stack: Stack, _: Settings) -> Iterator[Finding]:
    scaling = Scaling.of(stack)
    # Objects whose names are unknown may be the target.
    unnamed = {item.kind for item in stack.objects if not item.identified}
    kinds = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"}
    yield from _selecting_nothing(stack, scaling)
    for found, field in ((scaling.horizontal, "scaleTargetRef"), (scaling.vertical, "targetRef")):
        for key, item in found.items():
            known = key[0] != "?" and key[1] in kinds - unnamed and key[2]
            if known and key not in scaling.objects:
                yield item.node.at("spec", field).finding(
                    f"no {key[1]} {key[2]!r} exists in namespace {key[0]!r}"
                )


@rule(
    "hpa-vpa-conflict",
    "A HorizontalPodAutoscaler and a VerticalPodAutoscaler must not act on the same resource. "
    "Each reacts to the other otherwise, and both oscillate.",
    concern=CONCERN,
    scope="stack",
    remediation=(
        "Let the VPA control only resources that the HPA does not measure, or set its updateMode to Off."
    ),
    severity=Severity.HIGH,
    tags=(*_TAGS, "KUB2"),
    url="https://cloud.google.com/kubernetes-engine/docs/concepts/verticalpodautoscaler",
)
def hpa_vpa_conflict(stack: Stack, _: Settings) -> Iterator[Finding]:
    scaling = Scaling.of(stack)
    pods = {key_of(item): pod for found in scaling.workloads.values() for item, pod in found}
    for vertical in stack.of_kind("VerticalPodAutoscaler"):
        key = scaling.target_of(vertical, "targetRef")
        spec = vertical.node["spec"]
        if key not in scaling.scalers or not spec.at("updatePolicy", "updateMode").is_one_of(None, *ACTING):
            continue
        measured = {found for scaler in scaling.scalers[key] for found in _measured(scaler)}
        for resource in sorted(
            {name for name, container in measured if name in _controlled(vertical, pods.get(key), container)}
        ):
            yield spec["resourcePolicy"].finding(
                f"the VPA changes requests of {resource}, which the HPA measures"
            )


def _measured(scaler: Object) -> Iterator[tuple[str, str]]:
    """Yield the resources that an autoscaler scales on, each with a container, or "" for the whole pod."""
    if scaler.kind == "ScaledObject":
        for trigger in scaler.node.at("spec", "triggers").items():
            yield trigger["type"].text(), trigger.at("metadata", "containerName").text()
        return
    metrics = list(scaler.node.at("spec", "metrics").items())
    if not metrics:
        yield "cpu", ""  # the default without metrics
    for metric in metrics:
        yield metric.at("resource", "name").text(), ""
        one = metric["containerResource"]
        yield one["name"].text(), one["container"].text()


def _controlled(vertical: Object, pod: PodTemplate | None, container: str) -> set[str]:
    """Return the resources that a VPA may change in a container of its target, or in any if that is ""."""
    policies = list(vertical.node.at("spec", "resourcePolicy", "containerPolicies").items())
    named: list[Node | None] = list(policies) or [None]
    if container:
        named = [policy_of(vertical, container)]
    elif pod is not None:
        names = [item["name"].text() for item in pod.containers("containers")]
        named = [policy_of(vertical, name) for name in names]
    found: set[str] = set()
    for policy in named:
        if policy is None:
            found |= {"cpu", "memory"}
        elif not policy["mode"].is_one_of("Off"):
            listed = policy["controlledResources"]
            found |= {str(item.raw) for item in listed.items()} if listed.present else {"cpu", "memory"}
    return found


@dataclass(frozen=True)
class _Selection:
    """The workloads whose pods a disruption budget selects, each with its key and its minimum replicas.

    `uncounted` is a selected workload whose number of pods is unknown; `scaleless` is one whose kind has no
    scale, from which the disruption controller takes percentages and maxUnavailable.
    """

    selected: tuple[tuple[Object, Key, int], ...] = ()
    uncounted: Object | None = None
    scaleless: Object | None = None

    @cached_property
    def min_pods(self) -> int:
        """Return the sum of all selected pods, which the disruption controller counts."""
        return sum(count for _, _, count in self.selected)

    @cached_property
    def scale(self) -> int:
        """Return the pods of the selected controllers; a pod without a controller has no scale."""
        return sum(count for item, _, count in self.selected if item.kind != "Pod")


@dataclass(frozen=True)
class _Budget:
    """A disruption budget and what it selects. Budgets with equal selectors share their selection."""

    item: Object
    of: _Selection


def _budgets(stack: Stack) -> list[_Budget]:
    """Return the disruption budgets of a stack, matched once for all rules."""
    known = stack.memo.get("budgets")
    if known is None:
        known = stack.memo["budgets"] = list(_matched(stack, Scaling.of(stack)))
    return known


def _matched(stack: Stack, scaling: Scaling) -> Iterator[_Budget]:
    """Match each budget. Workloads are counted once, and equal selectors are evaluated once."""
    counts: dict[int, tuple[Object, Key, int | None]] = {}
    selections: dict[int, tuple[object, _Selection]] = {}
    for budget in stack.of_kind("PodDisruptionBudget"):
        selector = budget.node.at("spec", "selector")
        if budget.api_version == "policy/v1beta1" and selector.raw == {}:
            # An absent selector selects no pod; in policy/v1 only, an empty one selects every pod.
            yield _Budget(budget, _Selection())
            continue
        workloads = scaling.selected_by(selector, budget.namespace)
        if id(workloads) not in selections:
            for item, _ in workloads:
                if id(item) not in counts:
                    counts[id(item)] = item, key_of(item), _min_pods(item, scaling)
            # With the workloads, so that their id is not reused.
            selections[id(workloads)] = workloads, _selection([counts[id(item)] for item, _ in workloads])
        yield _Budget(budget, selections[id(workloads)][1])


def _selection(workloads: list[tuple[Object, Key, int | None]]) -> _Selection:
    selected: list[tuple[Object, Key, int]] = []
    uncounted = scaleless = None
    for item, key, count in workloads:
        if count is not None:
            selected.append((item, key, count))
        else:
            uncounted = item
            scaleless = item if _has_no_scale(item) else scaleless
    return _Selection(tuple(selected), uncounted, scaleless)


def _has_no_scale(item: Object) -> bool:
    return item.kind in _WITHOUT_SCALE and item.group in ("apps", "batch", "extensions")


def _min_pods(item: Object, scaling: Scaling) -> int | None:
    """Return the minimum pods of a workload; None if their number is unknown."""
    if _has_no_scale(item):
        return None
    if item.kind == "Pod" and not list(item.node.at("metadata", "ownerReferences").items()):
        return 1
    if item.kind in SCALABLE or (item.node.at("spec", "replicas").present and "." in item.group):
        return scaling.replicas(item)[0]
    return None


_WITHOUT_SCALE: Final = frozenset({"CronJob", "DaemonSet", "Job"})


def _selecting_nothing(stack: Stack, scaling: Scaling) -> Iterator[Finding]:
    """Yield budgets that select no pod of their namespace."""
    for budget in _budgets(stack):
        selector = budget.item.node.at("spec", "selector")
        if budget.of.selected or budget.of.uncounted is not None or not budget.item.identified:
            continue
        with budget.item.node.track_unknowns() as unknown:
            scaling.selected_by(selector, budget.item.namespace)
            for item, _ in scaling.workloads.get("?", ())[:1]:
                item.node.at("metadata", "namespace").known()
        # It may select pods of a kind that is not evaluated.
        if unknown or scaling.pod_creators.get(budget.item.namespace):
            continue
        yield selector.finding(f"selects no pod of a workload in namespace {budget.item.namespace!r}")


@rule(
    "pdb-allows-disruption",
    "A PodDisruptionBudget must allow at least one disruption. Node drains and upgrades block otherwise.",
    concern=CONCERN,
    scope="stack",
    remediation="Lower minAvailable below the fewest replicas, or set maxUnavailable to at least 1.",
    severity=Severity.HIGH,
    tags=("SOC2:A1.2", "KUB6"),
)
def pdb_allows_disruption(stack: Stack, _: Settings) -> Iterator[Finding]:
    overlaps = _Overlaps()
    for at, budget in enumerate(_budgets(stack)):
        spec = budget.item.node["spec"]
        # Files of a folder may declare variants of one budget.
        own = (budget.item.source and budget.item.name) or str(at)
        shared, count = overlaps.add(budget, own)
        for item in shared:
            yield spec["selector"].finding(
                f"{item.label} matches two PodDisruptionBudgets; the eviction API rejects that"
            )
        if count > len(shared):
            yield spec["selector"].finding(
                f"{count - len(shared)} more workloads match two PodDisruptionBudgets; "
                "the eviction API rejects that"
            )
        minimum, maximum = spec["minAvailable"], spec["maxUnavailable"]
        if _is_zero(maximum):
            yield maximum.finding(f"{maximum.shown} allows no disruption{_of(budget)}")
        elif minimum.text() and (int_or_percent(minimum.raw, 100, up=False) or 0) >= 100:
            yield minimum.finding(f"{minimum.shown} allows no disruption{_of(budget)}")
        elif not (maximum.known() and minimum.known()):
            continue
        elif not maximum.present and not minimum.present:
            yield spec.finding("sets neither minAvailable nor maxUnavailable, which allows no disruption")
        else:
            yield from _blocked(budget, minimum, maximum)


_LISTED: Final = 20


class _Overlaps:
    """The workloads that several budgets select, by the budget that came first."""

    def __init__(self) -> None:
        self._first: dict[Key, str] = {}
        # The number of workloads of a selection by their first budget; complete, since each has one.
        self._counts: dict[int, Counter[str]] = {}

    def add(self, budget: _Budget, name: str) -> tuple[list[Object], int]:
        """Return the workloads that an earlier budget of another name selects: up to 20, and their number."""
        selected = budget.of.selected
        counts = self._counts.get(id(budget.of))
        if counts is None:
            counts = Counter(self._first.setdefault(key, name) for _, key, _ in selected if key[0] != "?")
            self._counts[id(budget.of)] = counts
        count = counts.total() - counts[name]
        shared = (item for item, key, _ in selected if key[0] != "?" and self._first[key] != name)
        return list(islice(shared, min(count, _LISTED))), count


def _is_zero(node: Node) -> bool:
    """Whether an integer or a percentage is known and zero in any spelling (``00%``), or the text "0"."""
    return node.is_one_of("0") or (node.known() and int_or_percent(node.raw, 100, up=True) == 0)


def _blocked(budget: _Budget, minimum: Node, maximum: Node) -> Iterator[Finding]:
    """Yield a finding if a budget blocks by what it selects.

    Source: ``getExpectedPodCount``, pkg/controller/disruption.
    """
    by_scale = maximum.present or isinstance(minimum.raw, str)
    place = maximum if maximum.present else minimum
    if by_scale and budget.of.scaleless is not None:
        yield place.finding(
            f"{place.shown} allows no disruption: {budget.of.scaleless.label} has no scale, "
            "so only an integer minAvailable counts its pods"
        )
    elif by_scale and budget.of.selected and not budget.of.scale and budget.of.uncounted is None:
        if all(item.kind == "Pod" for item, *_ in budget.of.selected):
            yield place.finding(
                f"{place.shown} allows no disruption{_of(budget)}: pods without a controller have no scale, "
                "so only an integer minAvailable counts them"
            )
    elif maximum.present:
        return
    else:
        required = int_or_percent(minimum.raw, budget.of.scale, up=True)
        if required is None or (
            required < budget.of.min_pods and (not by_scale or budget.of.uncounted is None)
        ):
            return
        if budget.of.uncounted is not None:
            minimum.mark_unevaluated(
                f"is not proven: the number of pods of {budget.of.uncounted.label} is unknown"
            )
        elif not budget.of.selected:
            if not _is_zero(minimum):
                minimum.mark_unevaluated("is not proven: no workload that it selects is declared here")
        elif budget.of.min_pods > 0:
            yield minimum.finding(f"{minimum.shown} allows no disruption{_of(budget)}")


def _of(budget: _Budget) -> str:
    """Return the selected workloads and their pods for a message; "" if none is known."""
    if not budget.of.selected:
        return ""
    names = ", ".join(item.label for item, *_ in budget.of.selected[:_NAMED])
    count = f"{budget.of.min_pods} pod" + ("s" if budget.of.min_pods != 1 else "")
    return f" of {names} ({count} at minimum)"


_NAMED: Final = 5


@rule(
    "pdb-required",
    "Every replicated workload must have a PodDisruptionBudget that keeps at least one pod. "
    "A node drain can take all replicas down otherwise.",
    concern=CONCERN,
    scope="stack",
    remediation="Declare a PodDisruptionBudget with maxUnavailable below the fewest replicas.",
    severity=Severity.MEDIUM,
    tags=("SOC2:A1.2", "KUB6"),
    platform_specific=True,
)
def pdb_required(stack: Stack, _: Settings) -> Iterator[Finding]:
    covered: set[Key] = set()
    seen: set[int] = set()
    for budget in _budgets(stack):
        if id(budget.of) not in seen:
            seen.add(id(budget.of))
            covered.update(key for _, key, _ in budget.of.selected)
        spec = budget.item.node["spec"]
        node = spec["maxUnavailable"]
        value = (
            int_or_percent(node.raw, budget.of.min_pods, up=True) if node.present and node.known() else None
        )
        if value is not None and budget.of.min_pods > 1 and value >= budget.of.min_pods:
            yield node.finding(f"{node.shown} allows every pod to be disrupted at once{_of(budget)}")
        if _is_zero(spec["minAvailable"]):
            yield spec["minAvailable"].finding(f"keeps no pod{_of(budget)}")
    budgets = stack.of_kind("PodDisruptionBudget")
    # A budget whose namespace or selector is unknown may select any workload.
    if [item for item in budgets if not (item.identified and item.node.at("spec", "selector").known())]:
        return
    scaling = Scaling.of(stack)
    # Budgets with unknown labels, by namespace: one of them may select these pods.
    unclear: set[str] = set()
    budgeted = {item.namespace for item in budgets}
    for item in budgets:
        with item.node.track_unknowns() as unknown:
            list(item.node.at("spec", "selector").leaves())
        if unknown:
            unclear.add(item.namespace)
    for namespace, workloads in scaling.workloads.items():
        for item, template in workloads:
            replicated = item.kind in ("Deployment", "StatefulSet") and scaling.replicas(item)[0] > 1
            if not replicated or namespace == "?" or key_of(item) in covered:
                continue
            with item.node.track_unknowns() as unknown:
                if namespace in budgeted:
                    list(template.labels.leaves())
            if not unknown and namespace not in unclear:
                yield item.node.finding(f"{item.label} has no PodDisruptionBudget")


@rule(
    "hpa-scales-down-slowly",
    "A HorizontalPodAutoscaler must have a stabilization window for scale-down. "
    "A short drop in load removes capacity otherwise.",
    concern=CONCERN,
    scope="stack",
    remediation="Set behavior.scaleDown.stabilizationWindowSeconds to at least the configured seconds.",
    severity=Severity.LOW,
    level=ADVISORY,
    tags=_TAGS,
    settings={
        "seconds": {
            "type": "integer",
            "default": 120,
            "minimum": 0,
            "description": "Minimum window in seconds.",
        }
    },
)
def hpa_scales_down_slowly(stack: Stack, settings: Settings) -> Iterator[Finding]:
    for item in stack.of_kind("HorizontalPodAutoscaler"):
        window = item.node.at("spec", "behavior", "scaleDown", "stabilizationWindowSeconds")
        if item.node.at("spec", "behavior", "scaleDown", "selectPolicy").is_one_of("Disabled"):
            continue
        # The default of Kubernetes is 300 seconds.
        if window.known() and window.number(300) < settings["seconds"]:
            yield window.finding(f"{window.shown} seconds is less than {int(settings['seconds'])}")
