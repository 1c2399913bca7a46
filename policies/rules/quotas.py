"""Quotas: every namespace has limits, and they cover the maximum of its workloads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, NamedTuple

from pulumi_policy import Severity

from policies.model.limit_range_defaults import Defaults, defaults_by_namespace
from policies.model.node_pools import Pool, pool_of
from policies.model.object_counts import Holdings, holdings, needed, needed_in_scope, unproven
from policies.model.peak_demand import Demand, demand
from policies.model.property_tree import UNKNOWN, Finding, Node
from policies.model.quantities import parse, show
from policies.model.scale_targets import Scaling
from policies.model.stack import Object, Stack
from policies.pack.rule import ADVISORY, Settings, rule

CONCERN: Final = "quotas"
_TAGS: Final = ("CIS-GKE:5.7.1", "SOC2:A1.1", "KUB5")
# Short forms of ``requests.*`` keys of a ResourceQuota.
_PLAIN_RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")
# Keys whose quantities the API server requires to be integers (``IsIntegerResourceName``).
_INTEGERS: Final = frozenset(
    {
        "configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets",
        "services", "services.loadbalancers", "services.nodeports",
    }
)  # fmt: skip


def _in_doubt(items: list[Object]) -> bool:
    """Whether any of `items` may belong to any namespace, because its own is unknown."""
    return any(item.namespace == "?" and not item.node.at("metadata", "namespace").known() for item in items)


@rule(
    "namespace-quota",
    "Every namespace must have a ResourceQuota on CPU, memory and pods. "
    "One namespace could otherwise take the whole cluster.",
    concern=CONCERN,
    scope="stack",
    remediation="Declare a ResourceQuota for requests.cpu, requests.memory and pods in the namespace.",
    severity=Severity.HIGH,
    tags=_TAGS,
    platform_specific=True,
)
def namespace_quota(stack: Stack, _: Settings) -> Iterator[Finding]:
    by_namespace = stack.by_namespace("ResourceQuota")
    for namespace in stack.of_kind("Namespace"):
        if not namespace.identified:
            continue
        own = by_namespace.get(namespace.name, [])
        keys = {key for quota in own for key, _ in quota.node.at("spec", "hard").entries()}
        if own:
            for wanted in (("requests.cpu", "cpu"), ("requests.memory", "memory"), ("pods", "count/pods")):
                if not keys & set(wanted) and own[0].node.at("spec", "hard").known():
                    yield (
                        own[0]
                        .node.at("spec", "hard")
                        .finding(f"{namespace.label} has no quota on {wanted[0]}")
                    )
        elif not _in_doubt(by_namespace.get("?", [])):
            yield namespace.node.finding(f"{namespace.label} has no ResourceQuota")


@rule(
    "namespace-limit-range",
    "Every namespace must have a LimitRange with container defaults. "
    "A container without limits could otherwise starve its neighbors.",
    concern=CONCERN,
    scope="stack",
    remediation="Declare a LimitRange of type Container with default and defaultRequest in the namespace.",
    severity=Severity.MEDIUM,
    tags=_TAGS,
    platform_specific=True,
)
def namespace_limit_range(stack: Stack, _: Settings) -> Iterator[Finding]:
    by_namespace = stack.by_namespace("LimitRange")
    for namespace in stack.of_kind("Namespace"):
        if not namespace.identified:
            continue
        own = by_namespace.get(namespace.name, [])
        if own:
            with own[0].node.track_unknowns() as unknown:
                complete = any(
                    limit["type"].is_one_of("Container") and limit[key].present
                    for item in own
                    for limit in item.node.at("spec", "limits").items()
                    for key in ("default", "defaultRequest")
                )
            if not complete and not unknown:
                yield own[0].node.at("spec", "limits").finding("gives containers no defaults")
        elif not _in_doubt(by_namespace.get("?", [])):
            yield namespace.node.finding(f"{namespace.label} has no LimitRange")


@rule(
    "quota-covers-peak",
    "A ResourceQuota must cover all workloads at their maximum replicas plus surge. "
    "Pods are rejected otherwise, and rollouts stall.",
    concern=CONCERN,
    scope="stack",
    remediation=(
        "Raise the quota to the sum in the message, or lower maxReplicas, maxSurge or the requests."
    ),
    severity=Severity.HIGH,
    tags=(*_TAGS, "KUB1"),
    url="https://kubernetes.io/docs/concepts/policy/resource-quotas/",
)
def quota_covers_peak(stack: Stack, _: Settings) -> Iterator[Finding]:
    quotas = stack.of_kind("ResourceQuota")
    if not quotas:
        return
    peaks = peaks_by_namespace(stack)
    holds = holdings(stack.objects, peaks)
    scaling = Scaling.of(stack)
    _in_doubt([item for item, _ in scaling.workloads.get("?", [])])
    sums, counted = _Sums(), _Counted(peaks, scaling)
    for quota in quotas:
        inside = counted.by(quota)
        objects_of = _created("objects", scaling.creator_names(quota.namespace, pods_only=False))
        pods_of = _created("pods", scaling.creator_names(quota.namespace, pods_only=True))
        own = holds.get(quota.namespace, Holdings())
        for key, limit in quota.node.at("spec", "hard").entries():
            amount = parse(limit.raw) if limit.known() else None
            if amount is None:
                if limit.raw is not UNKNOWN:
                    yield limit.finding(f"{limit.raw!r} is not a valid quantity")
                continue
            if amount < 0 or (key in _INTEGERS and amount.denominator != 1):
                wanted = "must not be negative" if amount < 0 else "must be an integer"
                yield limit.finding(f"{limit.raw!r} is not valid: it {wanted}")
                continue
            name = _full_name(key)
            if needed(key, own) is not None:
                others = pods_of if key == "count/pods" else objects_of
                yield from _too_few(quota, key, amount, limit, own, inside, others)
            elif name == "pods" or name.startswith(("requests.", "limits.")):
                if quota.namespace == "?":
                    limit.mark_unevaluated("is not proven: its namespace is not known yet")
                    continue
                yield from _too_small(limit, name, amount, inside, sums, pods_of)
            else:
                limit.mark_unevaluated("is not proven: no declaration specifies how much of it is used")


_NAMED: Final = 5


def _created(what: str, names: str) -> list[str]:
    """Return the reason why there may be more objects than counted: the creators `names`; none without."""
    return [f"the number of {what} that {names} may create is unknown"] if names else []


def _too_few(
    quota: Object,
    key: str,
    amount: Fraction,
    limit: Node,
    own: Holdings,
    inside: list[Demand],
    others: list[str],
) -> Iterator[Finding]:
    """Yield a finding if a quota's `key` does not cover the objects of its namespace.

    `others` are reasons why there may be more of them than declared.
    """
    scopes = _scopes(quota)
    count: int | Fraction | None = needed(key, own)
    reasons = [*unproven(key, own), *others]
    if scopes:
        # Of the keys that count objects, scopes restrict only pods and claims.
        count = needed_in_scope(key, own, scopes)
        if key == "count/pods":
            count = sum(item.pods for item in inside)
            reasons.append("pods that have ended count too")
        elif count is None:
            return
    if count is not None and count > amount:
        wanted = f"{show(key, Fraction(count))} that are declared or retained"
        yield limit.finding(f"{show(key, amount)} is less than the {wanted}")
    elif reasons:
        limit.mark_unevaluated(f"is not proven: {_shortened(reasons)}")


def _full_name(key: str) -> str:
    """Return the long form of a plain key: ``cpu`` is ``requests.cpu``."""
    return f"requests.{key}" if key in _PLAIN_RESOURCES or key.startswith("hugepages-") else key


@dataclass(frozen=True)
class _Share:
    """The amount that one workload adds to the sum of one key of a quota."""

    amount: Fraction
    # The problem of the workload, and the reason why its amount may be higher; "" if there is none.
    problems: tuple[str, ...] = ()
    unproven: str = ""

    @classmethod
    def of(cls, key: str, item: Demand) -> _Share:
        if item.doubtful:
            return cls(Fraction(0), (), f"{item.workload.label} has unknown values")
        problems = []
        if key in item.missing and (item.pods or item.unbounded):
            names = ", ".join(item.missing[key][:_NAMED])
            problems.append(f"{item.workload.label}: {names} must set {key}, or the quota rejects its pods")
        reason = item.open_end(key)
        if reason and item.workload.kind == "CronJob":
            problems.append(f"{item.workload.label} has no bound: {reason}")
        return cls(item.of(key), tuple(problems), f"{item.workload.label}: {reason}" if reason else "")


@dataclass(frozen=True)
class _Sum:
    """The total peak of several workloads for one key of a quota."""

    total: Fraction
    # Workloads with a share of the total, for a message.
    sharing: list[Demand]
    # Problems of single workloads, and reasons why the total may be higher.
    problems: list[str]
    unproven: list[str]


class _Sums:
    """Sums by key, each computed once for a list of workloads, since a namespace may have many quotas."""

    def __init__(self) -> None:
        # The values include the workloads, so that their ids are not reused.
        self._known: dict[tuple[int, str], tuple[list[Demand], _Sum]] = {}
        self._shares: dict[tuple[int, str], tuple[Demand, _Share]] = {}

    def of(self, key: str, peaks: list[Demand]) -> _Sum:
        found = self._known.get((id(peaks), key))
        if found is None:
            found = self._known[(id(peaks), key)] = peaks, self._sum(key, peaks)
        return found[1]

    def _sum(self, key: str, peaks: list[Demand]) -> _Sum:
        # Adding integers of equal denominators is quicker than adding fractions.
        numerators: Counter[int] = Counter()
        found = _Sum(Fraction(0), [], [], [])
        for item in peaks:
            known = self._shares.get((id(item), key))
            if known is None:
                known = self._shares[id(item), key] = item, _Share.of(key, item)
            share = known[1]
            found.problems.extend(share.problems)
            if share.unproven:
                found.unproven.append(share.unproven)
            if share.amount:
                numerators[share.amount.denominator] += share.amount.numerator
                found.sharing.append(item)
        total = sum((Fraction(amount, unit) for unit, amount in numerators.items()), Fraction(0))
        return replace(found, total=total)


def _too_small(
    limit: Node, key: str, amount: Fraction, peaks: list[Demand], sums: _Sums, others: list[str]
) -> Iterator[Finding]:
    """Yield problems of workloads, and their sum if it is more than `amount`.

    `others` are reasons why there may be more pods than those of `peaks`.
    """
    found = sums.of(key, peaks)
    reasons = [*found.unproven, *others]
    for problem in found.problems[:_LISTED]:
        yield limit.finding(problem)
    if len(found.problems) > _LISTED:
        yield limit.finding(f"{len(found.problems) - _LISTED} more workloads have the same problems")
    if found.total > amount:
        parts = [
            f"{item.workload.label}: ({item.why})"
            + ("" if key == "pods" else f" x {show(key, item.per_pod[key])}")
            for item in found.sharing[:_LISTED]
        ]
        besides = f"; not counted: {'; '.join(reasons[:_NAMED])}" if reasons else ""
        yield limit.finding(
            f"{show(key, amount)} is less than the {show(key, found.total)} that its workloads reach "
            f"({_shortened(parts, len(found.sharing))}){besides}"
        )
    elif reasons:
        limit.mark_unevaluated(f"is not proven: {_shortened(reasons)}")


def _shortened(parts: list[str], count: int = 0) -> str:
    """Return the first of `parts` and the number of the others, of `count` or all parts, as text."""
    count = count or len(parts)
    more = f"; and {count - _LISTED} more" if count > _LISTED else ""
    return "; ".join(parts[:_LISTED]) + more


_LISTED: Final = 20


@rule(
    "quota-covers-terminating-pods",
    "A ResourceQuota should also cover pods that terminate during a rollout. "
    "They count until their grace period ends, and the replacements are rejected until then.",
    concern=CONCERN,
    scope="stack",
    remediation=(
        "Raise the quota to the sum in the message, or set podReplacementPolicy to TerminationComplete."
    ),
    severity=Severity.LOW,
    level=ADVISORY,
    tags=(*_TAGS, "KUB1"),
    url="https://github.com/kubernetes/kubernetes/issues/98656",
)
def quota_covers_terminating_pods(stack: Stack, _: Settings) -> Iterator[Finding]:
    quotas = stack.of_kind("ResourceQuota")
    if not quotas:
        return
    peaks = peaks_by_namespace(stack)
    sums, counted = _Sums(), _Counted(peaks, Scaling.of(stack))
    extras: dict[tuple[int, str], tuple[Fraction, Demand]] = {}
    for quota in quotas:
        inside, own = counted.by(quota), peaks.get(quota.namespace, [])
        if quota.namespace == "?" or not any(item.terminating and not item.doubtful for item in inside):
            continue
        for key, limit in quota.node.at("spec", "hard").entries():
            amount = parse(limit.raw) if limit.known() else None
            name = _full_name(key)
            if amount is None or not (name == "pods" or name.startswith(("requests.", "limits."))):
                continue
            total = sums.of(name, inside).total
            if amount < total or amount >= total + _max_extra(own, name, extras)[0]:
                continue
            # One workload at a time: simultaneous rollouts are rare.
            extra, item = _max_extra(inside, name, extras)
            if amount < total + extra:
                grace = item.template.spec["terminationGracePeriodSeconds"].integer(30)
                yield limit.finding(
                    f"{show(key, amount)} is less than the {show(key, total + extra)} of a rollout of "
                    f"{item.workload.label}: {item.terminating} pods may terminate for {grace} s each"
                )


def _max_extra(
    items: list[Demand], key: str, known: dict[tuple[int, str], tuple[Fraction, Demand]]
) -> tuple[Fraction, Demand]:
    """Return the largest amount of terminating pods of one workload, and the workload, cached in `known`."""
    if (id(items), key) not in known:
        rolling = [item for item in items if item.terminating and not item.doubtful]
        extras = ((_terminating(item, key), item) for item in rolling)
        known[id(items), key] = max(extras, key=lambda found: found[0])
    return known[id(items), key]


def _terminating(item: Demand, key: str) -> Fraction:
    each = Fraction(1) if key == "pods" else item.per_pod.get(key, Fraction(0))
    return item.terminating * each


class _Counted:
    """The workloads whose pods quotas count. Quotas that count the same ones share one list."""

    def __init__(self, peaks: dict[str, list[Demand]], scaling: Scaling) -> None:
        self._peaks = peaks
        self._scaling = scaling
        # The positions of the workloads of a namespace by what scopes distinguish.
        self._by_traits: dict[str, dict[_Traits, list[int]]] = {}
        self._known: dict[tuple[str, str], list[Demand]] = {}
        self._shared: dict[tuple[str, tuple[_Traits, ...]], list[Demand]] = {}

    def by(self, quota: Object) -> list[Demand]:
        """Return the workloads of a quota; without scopes, the namespace's own list."""
        namespace = quota.namespace
        own = self._peaks.get(namespace, [])
        scopes = _scopes(quota)
        if not scopes:
            return own
        key = namespace, repr(scopes)
        if key not in self._known:
            by_traits = self._traits_in(namespace)
            counted = tuple(traits for traits in by_traits if _in_scope(scopes, traits))
            if (namespace, counted) not in self._shared:
                positions = sorted(at for traits in counted for at in by_traits[traits])
                self._shared[namespace, counted] = [own[at] for at in positions]
            self._known[key] = self._shared[namespace, counted]
        return self._known[key]

    def _traits_in(self, namespace: str) -> dict[_Traits, list[int]]:
        if namespace not in self._by_traits:
            found: dict[_Traits, list[int]] = {}
            for position, item in enumerate(self._peaks.get(namespace, [])):
                found.setdefault(_Traits.of(item, self._scaling), []).append(position)
            self._by_traits[namespace] = found
        return self._by_traits[namespace]


class _Traits(NamedTuple):
    """The properties of a workload's pods that the scopes of quotas distinguish."""

    best_effort: bool
    ends: bool
    priority: str
    across: bool

    @classmethod
    def of(cls, item: Demand, scaling: Scaling) -> _Traits:
        spec = item.template.spec
        priority = spec["priorityClassName"].text() or scaling.default_priority_class
        return cls(item.best_effort, spec["activeDeadlineSeconds"].present, priority, _affine_across(item))


def _in_scope(scopes: list[tuple[str, str, list[str]]], pods: _Traits) -> bool:
    """Whether the scopes of a quota include these pods."""
    for scope, operator, values in scopes:
        match scope:
            case "BestEffort":
                held = pods.best_effort
            case "NotBestEffort":
                held = not pods.best_effort
            case "Terminating":
                held = pods.ends
            case "NotTerminating":
                held = not pods.ends
            case "CrossNamespacePodAffinity":
                held = pods.across
            case "PriorityClass":
                held = _has_priority(pods.priority, operator, values)
            case _:
                held = scope != "VolumeAttributesClass"  # counts claims only
        if not held:
            return False
    return True


def _has_priority(name: str, operator: str, values: list[str]) -> bool:
    match operator:
        case "In":
            return name in values
        case "NotIn":
            return name not in values
        case "DoesNotExist":
            return not name
        case "Exists":
            return bool(name)
    return True


def _scopes(quota: Object) -> list[tuple[str, str, list[str]]]:
    """Return the scopes of a quota, each with its operator and values."""
    spec = quota.node["spec"]
    scopes: list[tuple[str, str, list[str]]] = [
        (scope.text(), "Exists", []) for scope in spec["scopes"].items()
    ]
    for expression in spec.at("scopeSelector", "matchExpressions").items():
        values = [str(value.raw) for value in expression["values"].items()]
        scopes.append((expression["scopeName"].text(), expression["operator"].text(), values))
    return scopes


def _affine_across(item: Demand) -> bool:
    """Whether a pod's affinity refers to other namespaces."""
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = item.template.spec.at("affinity", kind)
        terms = list(rules["requiredDuringSchedulingIgnoredDuringExecution"].items())
        preferred = rules["preferredDuringSchedulingIgnoredDuringExecution"].items()
        terms += [weighted["podAffinityTerm"] for weighted in preferred]
        if any(list(term["namespaces"].items()) or term["namespaceSelector"].present for term in terms):
            return True
    return False


def peaks_by_namespace(stack: Stack) -> dict[str, list[Demand]]:
    """Return the peak of every workload, by namespace."""
    known = stack.memo.get("peaks")
    if known is None:
        known = stack.memo["peaks"] = _peaks(stack)
    return known


def _peaks(stack: Stack) -> dict[str, list[Demand]]:
    scaling = Scaling.of(stack)
    ranges = defaults_by_namespace(stack)
    pools = [pool_of(resource, {}) for resource in stack.of_type("gcp:container/nodePool:NodePool")]
    known = [pool for pool in pools if pool is not None]
    found: dict[str, list[Demand]] = {}
    for namespace, workloads in scaling.workloads.items():
        defaults = ranges.get(namespace, Defaults())
        for item, template in workloads:
            nodes = None
            if known and len(known) == len(pools) and item.kind == "DaemonSet":
                with item.node.track_unknowns() as unknown:
                    nodes = sum(pool.nodes for pool in known if pool.accepts(template))
                nodes = None if unknown else nodes
            found.setdefault(namespace, []).append(demand(item, template, scaling, defaults, nodes))
    return found


# Requests of GKE's daemons on every node. `infra/settings/machine_types.py` subtracts the same. The pack
# computes the capacity independently, and a test compares both results.
OVERHEAD_CPU: Final = "500m"
OVERHEAD_MEMORY: Final = "1Gi"


@rule(
    "pools-hold-peak",
    "Node pools must be able to grow to the peak of all workloads. Pods stay pending otherwise.",
    concern=CONCERN,
    scope="stack",
    remediation="Raise the pool's maximum or its machine type, or lower what the workloads may reach.",
    severity=Severity.HIGH,
    tags=("SOC2:A1.1", "PRO1"),
    settings={
        "systemCpu": {
            "type": "string",
            "default": OVERHEAD_CPU,
            "description": "CPU that GKE's own daemons request on every node.",
        },
        "systemMemory": {
            "type": "string",
            "default": OVERHEAD_MEMORY,
            "description": "Memory that GKE's own daemons request on every node.",
        },
    },
)
def pools_hold_peak(stack: Stack, settings: Settings) -> Iterator[Finding]:
    overhead = {
        "cpu": parse(settings["systemCpu"]) or Fraction(0),
        "memory": parse(settings["systemMemory"]) or Fraction(0),
    }
    resources = stack.of_type("gcp:container/nodePool:NodePool")
    pools = [pool for pool in (pool_of(resource, overhead) for resource in resources) if pool is not None]
    if not resources or len(pools) < len(resources):
        return
    by_pools: dict[tuple[str, ...], list[Demand]] = {}
    every = [item for peaks in peaks_by_namespace(stack).values() for item in peaks]
    pools = [_left_by_daemons(pool, every) for pool in pools]
    for item in every:
        if item.workload.kind == "DaemonSet" or not item.pods or item.doubtful:
            continue
        with item.workload.node.track_unknowns() as unknown:
            fitting = [pool for pool in pools if pool.accepts(item.template)]
        if unknown:
            continue
        large_enough = [pool for pool in fitting if _pods_on_a_node(pool, item)]
        if not large_enough:
            reason = "is larger than a node of" if fitting else "may run on none of"
            names = ", ".join(pool.name for pool in fitting or pools)
            yield item.workload.node.finding(f"{item.workload.label} {reason} the pools ({names})")
            continue
        by_pools.setdefault(tuple(sorted(pool.name for pool in large_enough)), []).append(item)
    yield from _exceeded(pools, by_pools)


def _left_by_daemons(pool: Pool, every: list[Demand]) -> Pool:
    """Return `pool` without the requests of daemon sets on each of its nodes."""
    left = dict(pool.per_node)
    for item in every:
        if item.workload.kind == "DaemonSet" and not item.doubtful and pool.accepts(item.template):
            left["pods"] -= 1
            for key in ("cpu", "memory"):
                left[key] -= item.per_pod.get(f"requests.{key}", Fraction(0))
    return replace(pool, per_node=left)


def _exceeded(pools: list[Pool], by_pools: dict[tuple[str, ...], list[Demand]]) -> Iterator[Finding]:
    """Yield sets of pools that are too small for the pods that can run only on them."""
    by_name = {pool.name: pool for pool in pools}
    for names in by_pools:
        confined = [item for others, items in by_pools.items() if set(others) <= set(names) for item in items]
        nodes = Fraction(0)
        for item in confined:
            best = max(_pods_on_a_node(by_name[name], item) for name in names)
            nodes += Fraction(item.pods or 0, best)
        available = sum(by_name[name].nodes for name in names)
        if nodes > available:
            what = ", ".join(f"{item.workload.label} with {item.pods} pods" for item in confined)
            yield (
                by_name[names[0]]
                .resource.node["autoscaling"]
                .finding(
                    f"{', '.join(names)} can grow to {available} nodes, but {what} need {float(nodes):.1f}"
                )
            )


def _pods_on_a_node(pool: Pool, item: Demand) -> int:
    """Return how many pods of a workload fit on one otherwise empty node."""
    counts = [int(pool.per_node["pods"])]
    for key in ("cpu", "memory"):
        needed = item.per_pod.get(f"requests.{key}", Fraction(0))
        if needed:
            counts.append(int(pool.per_node[key] // needed))
    return max(0, min(counts))
