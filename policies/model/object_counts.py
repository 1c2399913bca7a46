"""Object counts of a namespace besides running pods: declared, created by controllers, and storage.

Which keys there are: https://kubernetes.io/docs/concepts/policy/resource-quotas/. Nearly all objects are
declared; some are created by controllers (replica sets, jobs, finished pods) and some by the control plane.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from policies.model.peak_demand import Demand
from policies.model.property_tree import Node
from policies.model.quantities import parse
from policies.model.stack import Object

# The plain keys of quotas, which need no "count/".
PLAIN: Final = frozenset(
    {
        "configmaps", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "secrets",
        "services",
    }
)  # fmt: skip
# The control plane puts these into every namespace by itself: the CA bundle and the default account.
_GIVEN: Final = {"configmaps": 1, "serviceaccounts": 1}
_KINDS_OF_GROUP_CORE: Final = ("v1", "core/v1")
# Endpoints in one slice (``--max-endpoints-per-slice``).
_SLICE: Final = 100
_CLASS_KEY: Final = re.compile(r"(?P<name>.+)\.storageclass\.storage\.k8s\.io/(?P<key>.+)")
_CLAIMS, _STORAGE = "persistentvolumeclaims", "requests.storage"


@dataclass(frozen=True)
class Claim:
    """A volume claim that is declared or made from a template, and how many times."""

    what: str
    storage_class: str
    size: Fraction
    times: int


@dataclass
class Holdings:
    """The objects of one namespace; `plurals` has their number by ``plural.group`` (``plural`` for core)."""

    plurals: Counter[str] = field(default_factory=Counter)
    load_balancers: int = 0
    node_ports: int = 0
    claims: list[Claim] = field(default_factory=list)


def holdings(objects: list[Object], peaks: dict[str, list[Demand]]) -> dict[str, Holdings]:
    """The objects of each namespace when all its workloads (`peaks`) are at their maximum."""
    found: dict[str, Holdings] = {}
    seen: set[tuple[str, str, str, str]] = set()
    for item in objects:
        key = (item.group, item.kind, item.namespace, item.name)
        if item.name and item.namespace != "?":
            if key in seen:
                continue  # declared twice, it replaces itself
            seen.add(key)
        own = found.setdefault(item.namespace, Holdings())
        own.plurals[plural_of(item)] += 1
        if item.kind == "Service":
            _count_ports(own, item.node["spec"])
        elif item.kind == "PersistentVolumeClaim":
            own.claims.append(_claim(item.label, item.node["spec"], 1))
    for namespace, workloads in peaks.items():
        own = found.setdefault(namespace, Holdings())
        for workload in workloads:
            own.claims.extend(_claims_of(workload))
        own.plurals[_CLAIMS] += sum(claim.times for claim in own.claims) - own.plurals[_CLAIMS]
        _count_controlled(own, workloads)
    return found


def plural_of(item: Object) -> str:
    """``deployments.apps``, ``configmaps``: how quotas spell a kind, by the rules of English."""
    name = item.kind.lower()
    if name.endswith("s"):
        plural = name if name.endswith("endpoints") else f"{name}es"
    elif name.endswith(("ch", "sh", "x")):
        plural = f"{name}es"
    elif name.endswith("y") and name[-2:-1] not in "aeiou":
        plural = f"{name[:-1]}ies"
    else:
        plural = f"{name}s"
    group, slash, _ = item.api_version.partition("/")
    return f"{plural}.{group}" if slash and item.api_version not in _KINDS_OF_GROUP_CORE else plural


def needed(key: str, own: Holdings) -> int | Fraction | None:
    """How much of a quota's `key` a namespace needs; None for a key that is not about objects."""
    plural = key.removeprefix("count/")
    of_class = _CLASS_KEY.fullmatch(key)
    if key == "services.loadbalancers":
        return own.load_balancers
    if key == "services.nodeports":
        return own.node_ports
    if of_class is not None:
        claims = [claim for claim in own.claims if claim.storage_class == of_class["name"]]
        return _storage(claims) if of_class["key"] == _STORAGE else sum(claim.times for claim in claims)
    if key == _STORAGE:
        return _storage(own.claims)
    if key in PLAIN or key.startswith("count/"):
        return own.plurals[plural] + _GIVEN.get(plural, 0)
    return None


def _storage(claims: list[Claim]) -> Fraction:
    return sum((claim.size * claim.times for claim in claims), Fraction(0))


def _count_ports(own: Holdings, spec: Node) -> None:
    kind = spec["type"]
    if not kind.is_one_of("NodePort", "LoadBalancer"):
        return
    own.load_balancers += kind.is_one_of("LoadBalancer")
    ports = list(spec["ports"].items())
    if kind.is_one_of("LoadBalancer") and spec["allocateLoadBalancerNodePorts"].is_one_of(False):
        # Only those written out are allocated (``portsWithNodePorts``, pkg/quota/v1/evaluator/core).
        ports = [port for port in ports if port["nodePort"].present and port["nodePort"].integer()]
    own.node_ports += len(ports)


def _claim(what: str, spec: Node, times: int) -> Claim:
    size = spec.at("resources", "requests", "storage")
    amount = parse(size.raw) if size.known() else None
    return Claim(what, spec["storageClassName"].text(), amount or Fraction(0), times)


def _claims_of(item: Demand) -> Iterator[Claim]:
    """Claims made for a workload's pods: of a stateful set, and of ephemeral volumes."""
    for template in item.workload.node.at("spec", "volumeClaimTemplates").items():
        if item.workload.kind == "StatefulSet":
            yield _claim(item.workload.label, template["spec"], item.pods)
    for volume in item.template.spec["volumes"].items():
        spec = volume.at("ephemeral", "volumeClaimTemplate", "spec")
        if spec.present:
            yield _claim(item.workload.label, spec, item.pods)


def _count_controlled(own: Holdings, workloads: list[Demand]) -> None:
    """Objects that controllers create and retain for the workloads of one namespace."""
    serving = 0
    for item in workloads:
        spec = item.workload.node["spec"]
        pods = item.pods
        finished = 0
        match item.workload.kind:
            case "Deployment":
                serving += pods
                # While it rolls out: the new one, the one before, and those retained for a rollback.
                own.plurals["replicasets.apps"] += spec["revisionHistoryLimit"].integer(10) + 2
            case "StatefulSet" | "DaemonSet":
                serving += pods
                own.plurals["controllerrevisions.apps"] += spec["revisionHistoryLimit"].integer(10) + 2
            case "Job":
                finished = _finished(spec)
            case "CronJob":
                job = spec.at("jobTemplate", "spec")
                history = spec["successfulJobsHistoryLimit"].integer(3) + spec[
                    "failedJobsHistoryLimit"
                ].integer(1)
                own.plurals["jobs.batch"] += history + max(1, math.ceil(pods / max(1, _at_once(job))))
                finished = history * (_at_once(job) + _finished(job))
            case _:
                serving += pods
        # Finished pods stay until their owner goes; `pods` does not count them, `count/pods` does.
        own.plurals["pods"] += finished + (pods if item.workload.kind != "Pod" else 0)
    services = own.plurals["services"]
    own.plurals["endpointslices.discovery.k8s.io"] += services * max(1, math.ceil(serving / _SLICE))
    own.plurals["endpoints"] += services


def _at_once(job: Node) -> int:
    return max(1, job["parallelism"].integer(1))


def _finished(job: Node) -> int:
    """Pods that one job leaves behind: the completed, and (where they are not restarted) the failed."""
    restarts = job.at("template", "spec", "restartPolicy").is_one_of("OnFailure")
    return job["completions"].integer(1) + (0 if restarts else job["backoffLimit"].integer(6))
