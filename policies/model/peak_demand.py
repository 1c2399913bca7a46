"""Peak demand of a workload: the maximum number of pods times the requests of one pod.

One pod (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
and https://kubernetes.io/docs/concepts/workloads/pods/init-containers/): main containers and sidecars
(init containers with ``restartPolicy: Always``) run together; an ordinary init container runs with the
sidecars started before it; the pod needs the larger of the two, plus its runtime class's overhead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from policies.model.cron import min_interval
from policies.model.limit_range_defaults import Amounts, Defaults, quantities
from policies.model.pods import TEMPLATES, PodTemplate, title
from policies.model.property_tree import Node
from policies.model.quantities import int_or_percent
from policies.model.scale_targets import Scaling, key_of, policy_of
from policies.model.stack import Object

_GRACE: Final = 30
# Modes in which the VPA changes the requests of pods.
ACTING: Final = ("Auto", "Recreate", "Initial", "InPlaceOrRecreate", "InPlace")
_POD_LEVEL: Final = ("cpu", "memory")
_COMPUTE: Final = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")


@dataclass(frozen=True)
class Demand:
    """The peak of one workload.

    `pods` is the number that can certainly exist at once; `why` explains the count. `unbounded` is the reason
    why there may be more of them, or "". `per_pod` has ``requests.*`` and ``limits.*`` of one pod; the keys
    of `growing` may become more than that, for the reason given. `terminating` is how many more pods a
    rollout leaves terminating while it already needs their replacements.
    """

    workload: Object
    template: PodTemplate
    pods: int
    why: str
    per_pod: Mapping[str, Fraction]
    unbounded: str = ""
    growing: Mapping[str, str] = field(default_factory=dict)
    # Maps keys such as ``requests.cpu`` to the containers without that amount.
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    terminating: int = 0
    # Whether a value that determines the result is unknown.
    doubtful: bool = False
    # The quality-of-service class of the pods; the overhead of a runtime class does not change it.
    best_effort: bool = False

    def of(self, key: str) -> Fraction:
        """Return the minimum peak of a key such as ``requests.cpu``, ``limits.memory`` or ``pods``."""
        return Fraction(self.pods) if key == "pods" else self.pods * self.per_pod.get(key, Fraction(0))

    def open_end(self, key: str) -> str:
        """Return why the amount of `key` may be higher than :meth:`of` returns; "" if it cannot."""
        if key != "pods" and key in self.growing:
            return self.growing[key]
        if self.unbounded and (key == "pods" or self.per_pod.get(key)):
            return self.unbounded
        return ""


def demand(
    workload: Object, template: PodTemplate, scaling: Scaling, defaults: Defaults, nodes: int | None
) -> Demand:
    """Return the peak of one workload, given its namespace's LimitRanges and the nodes it may run on."""
    growing: dict[str, str] = {}
    with workload.node.track_unknowns() as unknown:
        pods, why, unbounded = peak_pods(workload, scaling, nodes)
        scaler = scaling.vertical.get(key_of(workload))
        per_pod = pod_requests(template, defaults, scaler, growing)
        best_effort = not growing and not any(per_pod.get(key) for key in _COMPUTE)
        other = scaling.other_scalers.get(key_of(workload))
        if other is not None:
            unbounded = f"{other.label} may change the number of its pods"
        if template.spec["overhead"].present:
            _add_overhead(per_pod, template.spec["overhead"])
        else:
            # Admission sets it from the runtime class.
            name = template.spec["runtimeClassName"].text()
            runtime = scaling.objects.get(("", "RuntimeClass", name)) if name else None
            if runtime is not None:
                _add_overhead(per_pod, runtime.node.at("overhead", "podFixed"))
            elif name:
                reason = f"the overhead of its RuntimeClass {name!r} is not declared here"
                for key in _COMPUTE:
                    # An overhead raises only limits that exist.
                    if key.startswith("requests.") or per_pod.get(key):
                        growing.setdefault(key, reason)
        missing = _missing(template, defaults)
        terminating = _terminating(workload, template, scaling)
    return Demand(
        workload,
        template,
        pods,
        why,
        per_pod,
        unbounded,
        growing,
        missing,
        terminating,
        bool(unknown),
        best_effort,
    )


def peak_pods(workload: Object, scaling: Scaling, nodes: int | None) -> tuple[int, str, str]:
    """Return the maximum number of pods, how it was counted, and why there may be more ("" if not)."""
    spec = workload.node["spec"]
    _, maximum = scaling.replicas(workload)
    if workload.kind not in TEMPLATES or workload.group not in ("", "apps", "batch", "extensions"):
        counted = spec["replicas"].present or scaling.is_scaled(workload)
        reason = f"the number of pods of a {workload.kind} is unknown"
        return (maximum if counted else 0), f"{maximum if counted else 0}", reason
    match workload.kind:
        case "Pod":
            return 1, "1", ""
        case "Deployment":
            if spec.at("strategy", "type").is_one_of("Recreate"):
                return maximum, f"{maximum}", ""
            # The new replica set has at most as many pods as the Deployment, however large the surge.
            extra = min(_rolling(spec, maximum)[0], maximum)
            return maximum + extra, f"{maximum} + {extra} surge", ""
        case "DaemonSet":
            if nodes is None:
                return 0, "0", "one on each node, and the number of nodes is not declared here"
            surge = spec.at("updateStrategy", "rollingUpdate", "maxSurge")
            extra = int_or_percent(surge.raw, nodes, up=True) or 0 if surge.known() else 0
            return nodes + extra, f"{nodes} nodes + {extra} surge", ""
        case "Job":
            if spec["suspend"].is_one_of(True):
                return 0, "suspended", ""
            return _job_pods(spec), "parallelism", ""
        case "CronJob":
            return _cron_pods(spec)
        case _:
            return maximum, f"{maximum}", ""


def _rolling(spec: Node, maximum: int) -> tuple[int, int]:
    """Return a Deployment's maxSurge and maxUnavailable in pods, with the API server's defaults."""
    surge = spec.at("strategy", "rollingUpdate", "maxSurge")
    extra = int_or_percent("25%" if not surge.present else surge.raw, maximum, up=True)
    unavailable = spec.at("strategy", "rollingUpdate", "maxUnavailable")
    fewer = int_or_percent("25%" if not unavailable.present else unavailable.raw, maximum, up=False)
    if not surge.known() or extra is None:
        extra = 0
    if not unavailable.known() or fewer is None:
        fewer = 0
    # If both are zero, the rollout would not proceed, so the controller removes one pod at a time.
    return max(0, extra), max(0, fewer) or (0 if extra else 1)


def _terminating(workload: Object, template: PodTemplate, scaling: Scaling) -> int:
    """Return the pods of the first wave of a rollout that still terminate while replacements are created.

    They count against quotas. ``podReplacementPolicy: TerminationComplete`` makes the controller wait for
    them.
    """
    spec = workload.node["spec"]
    if workload.kind != "Deployment" or workload.group not in ("apps", "extensions"):
        return 0
    if spec.at("strategy", "type").is_one_of("Recreate") or spec["podReplacementPolicy"].is_one_of(
        "TerminationComplete"
    ):
        return 0
    if template.spec["terminationGracePeriodSeconds"].number(_GRACE) <= 0:
        return 0
    _, maximum = scaling.replicas(workload)
    return min(maximum, sum(_rolling(spec, maximum)))


def _job_pods(spec: Node) -> int:
    parallel = max(0, spec["parallelism"].integer(1))
    completions = spec["completions"]
    return min(parallel, max(0, completions.integer(1))) if completions.present else parallel


def _cron_pods(spec: Node) -> tuple[int, str, str]:
    job = spec.at("jobTemplate", "spec")
    pods = _job_pods(job)
    policy = spec["concurrencyPolicy"]
    if spec["suspend"].is_one_of(True):
        return 0, "suspended", ""
    if policy.is_one_of("Forbid"):
        return pods, "one run", ""
    deadline = job["activeDeadlineSeconds"]
    if policy.is_one_of("Replace"):
        # Without a deadline, a run may last until the next one starts.
        if deadline.present and deadline.known() and spec["schedule"].known() and _runs(spec) == 1:
            return pods, "one run", ""
        return 2 * pods, "one run and the one it replaces, which is still terminating", ""
    if not deadline.present:
        reason = "runs can accumulate: concurrencyPolicy is Allow and no activeDeadlineSeconds ends them"
        return pods, "one run", reason
    if not deadline.known() or not spec["schedule"].known():
        return pods, "one run", ""
    runs = _runs(spec)
    return runs * pods, f"{runs} runs at once", ""


def _runs(spec: Node) -> int:
    """Return the maximum of runs at once of a CronJob whose jobs have a deadline."""
    job = spec.at("jobTemplate", "spec")
    # A run that exceeded its deadline still has its grace period.
    lasts = job["activeDeadlineSeconds"].number() + job.at(
        "template", "spec", "terminationGracePeriodSeconds"
    ).number(_GRACE)
    return max(1, math.ceil(lasts / min_interval(spec["schedule"].text())))


def pod_requests(
    template: PodTemplate,
    defaults: Defaults,
    scaler: Object | None = None,
    growing: dict[str, str] | None = None,
) -> Amounts:
    """Return ``requests.*`` and ``limits.*`` of one pod as quota counts them, with LimitRange defaults.

    `scaler` is the VerticalPodAutoscaler that may raise the requests of the pod's main containers; the keys
    that it raises without a bound are added to `growing`. The overhead of the pod is left out: the
    LimitRanger and the quality-of-service class do not count it.
    """
    running: Amounts = {}
    for item in template.containers("containers"):
        amounts = container_amounts(item, defaults)
        if scaler is not None:
            amounts = _grown(
                amounts, item["name"].text(), scaler, defaults, {} if growing is None else growing
            )
        _add(running, amounts)
    sidecars: Amounts = {}
    peak: Amounts = {}
    for item in template.containers("initContainers"):
        amounts = container_amounts(item, defaults)
        if item["restartPolicy"].is_one_of("Always"):
            _add(sidecars, amounts)
            _raise(peak, sidecars)
        else:
            _raise(
                peak,
                {
                    key: amounts.get(key, Fraction(0)) + sidecars.get(key, Fraction(0))
                    for key in amounts | sidecars
                },
            )
    _add(running, sidecars)
    _raise(running, peak)
    # Pod-level resources replace the sum for the keys they name (since v1.34). A limit is a request only if
    # neither the pod nor a container has a request.
    whole = template.spec["resources"]
    for key, amount in _amounts(whole).items():
        part, _, name = key.partition(".")
        if not _pod_level(name):
            continue
        if part == "limits" or whole.at("requests", name).present or key not in running:
            running[key] = amount
    return running


def _pod_level(name: str) -> bool:
    """Whether a pod may set this resource at the pod level."""
    return name in _POD_LEVEL or name.startswith("hugepages-")


def _missing(template: PodTemplate, defaults: Defaults) -> dict[str, tuple[str, ...]]:
    """Return the containers without an amount that a quota requires of every container.

    A pod with pod-level resources needs none (``podEvaluator.Constraints``, pkg/quota/v1/evaluator/core).
    """
    whole = template.spec["resources"]
    if any(_pod_level(key) for part in ("requests", "limits") for key, _ in whole[part].entries()):
        return {}
    found: dict[str, list[str]] = {}
    for container in template.containers("containers", "initContainers"):
        amounts = container_amounts(container, defaults)
        for key in _COMPUTE:
            if key not in amounts and not container.at("resources", *key.split(".", 1)).present:
                found.setdefault(key, []).append(title(container))
    return {key: tuple(names) for key, names in found.items()}


def _add_overhead(total: Amounts, overhead: Node) -> None:
    """Add the overhead of the runtime class; to limits only if there are limits."""
    for key, amount in quantities(overhead).items():
        _add(total, {f"requests.{key}": amount})
        if total.get(f"limits.{key}"):
            _add(total, {f"limits.{key}": amount})


def container_amounts(container: Node, defaults: Defaults) -> Amounts:
    """Return the requests and limits of one container after admission."""
    return defaults.fill(_amounts(container["resources"]))


def _amounts(resources: Node) -> Amounts:
    found = {f"limits.{key}": amount for key, amount in quantities(resources["limits"]).items()}
    found |= {f"requests.{key}": amount for key, amount in quantities(resources["requests"]).items()}
    # A limit without a request also sets the request.
    for key in [key for key in found if key.startswith("limits.")]:
        found.setdefault("requests." + key.removeprefix("limits."), found[key])
    return found


def _grown(
    amounts: Mapping[str, Fraction],
    container: str,
    scaler: Object,
    defaults: Defaults,
    growing: dict[str, str],
) -> Amounts:
    """Return a container's `amounts` after the VPA raised its requests, and its limits in proportion.

    A resource without a maximum, in the VerticalPodAutoscaler or in a LimitRange, is counted at its minimum
    and added to `growing`.
    """
    grown = dict(amounts)
    if not scaler.node.at("spec", "updatePolicy", "updateMode").is_one_of(None, *ACTING):
        return grown
    policy = policy_of(scaler, container) or Node({})
    if policy["mode"].is_one_of("Off"):
        return grown
    controlled = [item.raw for item in policy["controlledResources"].items()] or ["cpu", "memory"]
    max_allowed, min_allowed = quantities(policy["maxAllowed"]), quantities(policy["minAllowed"])
    for key in ("cpu", "memory"):
        if key not in controlled:
            continue
        maximum = max_allowed.get(key)
        capped = defaults.max_of("Container", key)
        if capped is not None:
            maximum = capped if maximum is None else min(capped, maximum)
        before = grown.get(f"requests.{key}", Fraction(0))
        both = not policy["controlledValues"].is_one_of("RequestsOnly")
        if maximum is None:
            reason = f"{scaler.label} may raise {key}: it has no maxAllowed for it"
            growing[f"requests.{key}"] = reason
            if both and f"limits.{key}" in grown:
                growing[f"limits.{key}"] = reason
            maximum = min_allowed.get(key, Fraction(0))
        if maximum <= before:
            continue
        grown[f"requests.{key}"] = maximum
        limit = grown.get(f"limits.{key}")
        if limit is not None and before and both:
            grown[f"limits.{key}"] = limit * maximum / before
    return grown


def _add(total: Amounts, more: Mapping[str, Fraction]) -> None:
    for key, amount in more.items():
        total[key] = total.get(key, Fraction(0)) + amount


def _raise(total: Amounts, other: Mapping[str, Fraction]) -> None:
    for key, amount in other.items():
        total[key] = max(total.get(key, Fraction(0)), amount)
