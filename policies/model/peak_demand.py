"""How much a workload can ask of its namespace: pods at their peak, times what one pod requests.

One pod (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
and https://kubernetes.io/docs/concepts/workloads/pods/init-containers/): main containers and sidecars
(init containers with ``restartPolicy: Always``) run together; an ordinary init container runs with the
sidecars started before it; the pod needs the larger of the two, plus its runtime class's overhead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from policies.model.cron import shortest_interval
from policies.model.pods import PodTemplate
from policies.model.property_tree import Node
from policies.model.quantities import int_or_percent, parse
from policies.model.scale_targets import Scaling, key_of, policy_of
from policies.model.stack import Object

Amounts = dict[str, Fraction]
_GRACE: Final = 30
# VPA modes in which it changes what pods request.
ACTING: Final = ("Auto", "Recreate", "Initial", "InPlaceOrRecreate", "InPlace")


@dataclass(frozen=True)
class Demand:
    """What one workload can reach. `pods` is None when nothing bounds it; `why` says how it was counted."""

    workload: Object
    template: PodTemplate
    pods: int | None
    why: str
    per_pod: Mapping[str, Fraction]
    # Whether something that decides it is not known yet.
    doubtful: bool = False

    def of(self, key: str) -> Fraction | None:
        """The amount of ``requests.cpu``, ``limits.memory``, ``pods`` …; None when unbounded."""
        if self.pods is None:
            return None
        return Fraction(self.pods) if key == "pods" else self.pods * self.per_pod.get(key, Fraction(0))


def demand(
    workload: Object, template: PodTemplate, scaling: Scaling, ranges: Sequence[Object], nodes: int | None
) -> Demand:
    """The peak of one workload; `ranges`: the LimitRanges of its namespace; `nodes`: those it may run on."""
    with workload.node.watched() as unknown:
        pods, why = peak_pods(workload, scaling, nodes)
        per_pod = pod_requests(template, ranges, scaling.vertical.get(key_of(workload)))
        if not template.spec["overhead"].present:
            # Admission takes it from the class.
            name = template.spec["runtimeClassName"].text()
            runtime = scaling.objects.get(("", "RuntimeClass", name)) if name else None
            if runtime is not None:
                _add_overhead(per_pod, runtime.node.at("overhead", "podFixed"))
    return Demand(workload, template, pods, why, per_pod, bool(unknown))


def peak_pods(workload: Object, scaling: Scaling, nodes: int | None) -> tuple[int | None, str]:
    """The most pods that exist at once, and how that was counted."""
    spec = workload.node["spec"]
    _, most = scaling.replicas(workload)
    match workload.kind:
        case "Pod":
            return 1, "1"
        case "Deployment":
            if spec.at("strategy", "type").like("Recreate"):
                return most, f"{most}"
            surge = spec.at("strategy", "rollingUpdate", "maxSurge")
            extra = int_or_percent("25%" if not surge.present else surge.raw, most, up=True)
            if not surge.known() or extra is None:
                extra = 0
            return most + extra, f"{most} + {extra} surge"
        case "DaemonSet":
            if nodes is None:
                return None, "one on each node, and how many nodes there are is not declared here"
            surge = spec.at("updateStrategy", "rollingUpdate", "maxSurge")
            extra = int_or_percent(surge.raw, nodes, up=True) or 0 if surge.known() else 0
            return nodes + extra, f"{nodes} nodes + {extra} surge"
        case "Job":
            if spec["suspend"].like(True):
                return 0, "suspended"
            return _job_pods(spec), "parallelism"
        case "CronJob":
            return _cron_pods(spec)
        case _:
            return most, f"{most}"


def _job_pods(spec: Node) -> int:
    parallel = int(spec["parallelism"].number(1))
    return min(parallel, int(spec["completions"].number(1))) if spec["completions"].present else parallel


def _cron_pods(spec: Node) -> tuple[int | None, str]:
    job = spec.at("jobTemplate", "spec")
    pods = _job_pods(job)
    policy = spec["concurrencyPolicy"]
    if spec["suspend"].like(True):
        return 0, "suspended"
    if policy.like("Forbid"):
        return pods, "one run"
    if policy.like("Replace"):
        return 2 * pods, "one run and the one it replaces, which is still ending"
    deadline = job["activeDeadlineSeconds"]
    if not deadline.present:
        return None, "runs may pile up: concurrencyPolicy is Allow and no activeDeadlineSeconds ends them"
    if not deadline.known() or not spec["schedule"].known():
        return pods, "one run"
    # A run that is out of time still has its grace period.
    lasts = deadline.number() + job.at("template", "spec", "terminationGracePeriodSeconds").number(_GRACE)
    runs = max(1, math.ceil(lasts / shortest_interval(spec["schedule"].text())))
    return runs * pods, f"{runs} runs at once"


def pod_requests(template: PodTemplate, ranges: Sequence[Object], scaler: Object | None = None) -> Amounts:
    """``requests.*`` and ``limits.*`` of one pod, as quota counts them, with the defaults of LimitRanges.

    `scaler` is the VerticalPodAutoscaler that may raise what the pod's main containers request.
    """
    defaults = [item for found in ranges for item in found.node.at("spec", "limits").items()]
    running: Amounts = {}
    for item in template.containers("containers"):
        amounts = container_amounts(item, defaults)
        _add(running, amounts if scaler is None else _grown(amounts, item["name"].text(), scaler))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for item in template.containers("initContainers"):
        amounts = container_amounts(item, defaults)
        if item["restartPolicy"].like("Always"):
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
    # Resources of the pod as a whole replace the sum for the keys they name (since v1.34). A limit is a
    # request only where neither the pod nor a container requests anything.
    whole = template.spec["resources"]
    for key, amount in _amounts(whole).items():
        part, _, name = key.partition(".")
        if part == "limits" or whole.at("requests", name).present or key not in running:
            running[key] = amount
    _add_overhead(running, template.spec["overhead"])
    return running


def _add_overhead(total: Amounts, overhead: Node) -> None:
    """Adds what the runtime takes for itself; to limits only where there are some."""
    for key, value in overhead.entries():
        amount = parse(value.raw) if value.known() else None
        if amount is not None:
            _add(total, {f"requests.{key}": amount})
            if f"limits.{key}" in total:
                _add(total, {f"limits.{key}": amount})


def container_amounts(container: Node, defaults: Sequence[Node]) -> Amounts:
    """What one container asks for, with the `defaults` (items of ``limits``) where it says nothing."""
    amounts = _amounts(container["resources"])
    for default in defaults:
        if not default["type"].like("Container"):
            continue
        for key, value in default["default"].entries():
            amount = parse(value.raw) if value.known() else None
            if amount is not None:
                amounts.setdefault(f"limits.{key}", amount)
        for key, value in default["defaultRequest"].entries():
            amount = parse(value.raw) if value.known() else None
            if amount is not None and f"requests.{key}" not in amounts:
                amounts[f"requests.{key}"] = amount
    for key in [key for key in amounts if key.startswith("limits.")]:
        amounts.setdefault("requests." + key.removeprefix("limits."), amounts[key])
    return amounts


def _amounts(resources: Node) -> Amounts:
    found: Amounts = {}
    for part in ("limits", "requests"):
        for key, value in resources[part].entries():
            amount = parse(value.raw) if value.known() else None
            if amount is not None:
                found[f"{part}.{key}"] = amount
    # A limit without a request is a request too.
    for key in [key for key in found if key.startswith("limits.")]:
        found.setdefault("requests." + key.removeprefix("limits."), found[key])
    return found


def _grown(amounts: Mapping[str, Fraction], container: str, scaler: Object) -> Amounts:
    """A container's `amounts` once the vertical autoscaler raised its requests, and limits in proportion."""
    grown = dict(amounts)
    if not scaler.node.at("spec", "updatePolicy", "updateMode").like(None, *ACTING):
        return grown
    policy = policy_of(scaler, container)
    if policy is None or policy["mode"].like("Off"):
        return grown
    controlled = [item.raw for item in policy["controlledResources"].items()] or ["cpu", "memory"]
    for key, value in policy["maxAllowed"].entries():
        most = parse(value.raw) if value.known() else None
        before = grown.get(f"requests.{key}", Fraction(0))
        if key not in controlled or most is None or most <= before:
            continue
        grown[f"requests.{key}"] = most
        limit = grown.get(f"limits.{key}")
        if limit is not None and before and not policy["controlledValues"].like("RequestsOnly"):
            grown[f"limits.{key}"] = limit * most / before
    return grown


def _add(total: Amounts, more: Mapping[str, Fraction]) -> None:
    for key, amount in more.items():
        total[key] = total.get(key, Fraction(0)) + amount


def _raise(total: Amounts, other: Mapping[str, Fraction]) -> None:
    for key, amount in other.items():
        total[key] = max(total.get(key, Fraction(0)), amount)
