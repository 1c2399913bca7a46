"""Object counts of a namespace besides running pods: declared, created by controllers, and storage.

Keys: https://kubernetes.io/docs/concepts/policy/resource-quotas/. Nearly all objects are declared; some are
created by controllers (replica sets, jobs, finished pods) and some by the control plane.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from policies.model.cron import min_interval
from policies.model.peak_demand import Demand
from policies.model.pods import claim_templates
from policies.model.property_tree import Node
from policies.model.quantities import parse
from policies.model.stack import Object, served_group

# Keys of quotas without the prefix "count/".
PLAIN: Final = frozenset(
    {
        "configmaps", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "secrets",
        "services",
    }
)  # fmt: skip
# The control plane creates these in every namespace: the CA bundle and the default service account.
_GIVEN: Final = {"configmaps": 1, "serviceaccounts": 1}
_GIVEN_NAMES: Final = frozenset({("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")})
_KINDS_OF_GROUP_CORE: Final = ("v1", "core/v1")
# Maximum endpoints in one slice (``--max-endpoints-per-slice``).
_SLICE: Final = 100
_CLASS_KEY: Final = re.compile(r"(?P<name>.+)\.storageclass\.storage\.k8s\.io/(?P<key>.+)")
_CLAIMS, _STORAGE = "persistentvolumeclaims", "requests.storage"


@dataclass(frozen=True)
class Claim:
    """A volume claim that is declared or created from a template, and their number."""

    what: str
    # None if the cluster's default class is used and not declared.
    storage_class: str | None
    size: Fraction
    times: int
    attributes_class: str = ""


@dataclass
class Holdings:
    """The objects of one namespace; `plurals` has their count by ``plural.group`` (``plural`` for core)."""

    plurals: Counter[str] = field(default_factory=Counter)
    load_balancers: int = 0
    node_ports: int = 0
    claims: list[Claim] = field(default_factory=list)
    # Reasons why there may be more objects of a plural, by plural.
    unproven: dict[str, list[str]] = field(default_factory=dict)
    # The results of :func:`needed` and :func:`unproven` by key, since a namespace may have many quotas.
    amounts: dict[str, int | Fraction | None] = field(default_factory=dict)
    reasons: dict[str, list[str]] = field(default_factory=dict)


def holdings(objects: list[Object], peaks: dict[str, list[Demand]]) -> dict[str, Holdings]:
    """Return the objects of each namespace when all its workloads (`peaks`) are at their maximum."""
    found: dict[str, Holdings] = {}
    seen: set[tuple[str, str, str, str]] = set()
    default_class = _default_class(objects)
    for item in objects:
        key = (item.served_group, item.kind, item.namespace, item.name)
        if item.name and item.namespace != "?":
            if key in seen:
                continue  # the last of several declarations of one object counts
            seen.add(key)
        own = found.setdefault(item.namespace, Holdings())
        if item.group or (item.kind, item.name) not in _GIVEN_NAMES:
            own.plurals[plural_of(item)] += 1
        if item.kind == "Service":
            _count_ports(own, item.node["spec"])
        elif item.kind == "PersistentVolumeClaim":
            own.claims.append(_claim(item.label, item.node, 1, default_class))
    for namespace, workloads in peaks.items():
        own = found.setdefault(namespace, Holdings())
        for workload in workloads:
            own.claims.extend(
                _claim(workload.workload.label, claim, workload.pods, default_class)
                for claim in claim_templates(workload.workload, workload.template)
            )
        own.plurals[_CLAIMS] += sum(claim.times for claim in own.claims) - own.plurals[_CLAIMS]
        _count_controlled(own, workloads)
        for workload in workloads:
            _note_unproven(own, workload)
    return found


def _default_class(objects: list[Object]) -> str | None:
    """Return the storage class of claims without one; None if several or no defaults are declared."""
    names = {
        item.name
        for item in objects
        if item.kind == "StorageClass"
        and any(item.node.at("metadata", "annotations", key).is_one_of("true") for key in _DEFAULT_CLASS)
    }
    return names.pop() if len(names) == 1 else None


_DEFAULT_CLASS: Final = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


def _note_unproven(own: Holdings, item: Demand) -> None:
    """Record the plurals of which a workload may have more objects than counted."""
    why = "has unknown values" if item.doubtful else item.unbounded
    if not why:
        return
    plurals = ["pods"]
    if item.workload.kind == "CronJob":
        plurals.append("jobs.batch")
    templates = item.workload.node.at("spec", "volumeClaimTemplates")
    ephemeral = any(volume["ephemeral"].present for volume in item.template.spec["volumes"].items())
    if templates.present or ephemeral:
        plurals.append(_CLAIMS)
    for plural in plurals:
        own.unproven.setdefault(plural, []).append(f"{item.workload.label}: {why}")


def plural_of(item: Object) -> str:
    """Return the name of a kind in quotas, an English plural: ``deployments.apps``, ``configmaps``."""
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
    group = served_group(group, item.kind)
    return f"{plural}.{group}" if slash and item.api_version not in _KINDS_OF_GROUP_CORE else plural


def needed(key: str, own: Holdings) -> int | Fraction | None:
    """Return the amount of a quota's `key` that a namespace needs; None if `key` counts no objects."""
    if key not in own.amounts:
        own.amounts[key] = _needed(key, own)
    return own.amounts[key]


def _needed(key: str, own: Holdings) -> int | Fraction | None:
    plural = key.removeprefix("count/")
    of_class = _CLASS_KEY.fullmatch(key)
    if key == "services.loadbalancers":
        return own.load_balancers
    if key == "services.nodeports":
        return own.node_ports
    if of_class is not None:
        return _of_claims(
            of_class["key"], [claim for claim in own.claims if claim.storage_class == of_class["name"]]
        )
    if key == _STORAGE:
        return _storage(own.claims)
    if key in PLAIN or key.startswith("count/"):
        return own.plurals[plural] + _GIVEN.get(plural, 0)
    return None


def unproven(key: str, own: Holdings) -> list[str]:
    """Return why a namespace may need more of a quota's `key` than :func:`needed` returns."""
    if key not in own.reasons:
        own.reasons[key] = _unproven(key, own)
    return own.reasons[key]


def _unproven(key: str, own: Holdings) -> list[str]:
    plural = key.removeprefix("count/")
    of_class = _CLASS_KEY.fullmatch(key)
    found = []
    if plural in _AT_RUN_TIME:
        found.append("controllers and clients create such objects while they run")
    if of_class is not None:
        found += [
            f"{claim.what} names no storage class, and no default one is declared"
            for claim in own.claims
            if claim.storage_class is None
        ]
    if of_class is not None or key == _STORAGE:
        plural = _CLAIMS
    return [*found, *own.unproven.get(plural, ())]


# Objects whose number no declaration determines.
_AT_RUN_TIME: Final = frozenset({"events", "events.events.k8s.io", "leases.coordination.k8s.io"})


def needed_in_scope(key: str, own: Holdings, expressions: list[tuple[str, str, list[str]]]) -> int | None:
    """Return the claims that a quota with the scopes `expressions` (scope, operator, values) counts.

    None for any other key, and for scopes that do not apply to claims.
    """
    if key not in (_CLAIMS, f"count/{_CLAIMS}") or any(scope != _ATTRIBUTES for scope, *_ in expressions):
        return None
    claims = own.claims
    for _, operator, values in expressions:
        claims = [claim for claim in claims if _in_class(claim.attributes_class, operator, values)]
    return sum(claim.times for claim in claims)


_ATTRIBUTES: Final = "VolumeAttributesClass"


def _in_class(name: str, operator: str, values: list[str]) -> bool:
    held = {"In": name in values, "NotIn": name not in values, "DoesNotExist": not name}
    return held.get(operator, bool(name))


def _of_claims(key: str, claims: list[Claim]) -> int | Fraction:
    return _storage(claims) if key == _STORAGE else sum(claim.times for claim in claims)


def _storage(claims: list[Claim]) -> Fraction:
    return sum((claim.size * claim.times for claim in claims), Fraction(0))


def _count_ports(own: Holdings, spec: Node) -> None:
    kind = spec["type"]
    if not kind.is_one_of("NodePort", "LoadBalancer"):
        return
    own.load_balancers += kind.is_one_of("LoadBalancer")
    ports = list(spec["ports"].items())
    if kind.is_one_of("LoadBalancer") and spec["allocateLoadBalancerNodePorts"].is_one_of(False):
        # Only declared node ports are allocated (``portsWithNodePorts``, pkg/quota/v1/evaluator/core).
        ports = [port for port in ports if port["nodePort"].present and port["nodePort"].integer()]
    own.node_ports += len(ports)


def _claim(what: str, claim: Node, times: int, default_class: str | None) -> Claim:
    spec = claim["spec"]
    size = spec.at("resources", "requests", "storage")
    amount = parse(size.raw) if size.known() else None
    annotated = claim.at("metadata", "annotations", _CLASS_ANNOTATION)
    named = annotated if annotated.present else spec["storageClassName"]
    storage_class = named.text() if named.present else default_class
    return Claim(what, storage_class, amount or Fraction(0), times, spec["volumeAttributesClassName"].text())


_CLASS_ANNOTATION: Final = "volume.beta.kubernetes.io/storage-class"


def _count_controlled(own: Holdings, workloads: list[Demand]) -> None:
    """Count the objects that controllers create and retain for the workloads of one namespace."""
    serving = 0
    for item in workloads:
        spec = item.workload.node["spec"]
        pods = item.pods
        finished = 0
        match item.workload.kind:
            case "Deployment":
                serving += pods
                # During a rollout: the new replica set, the previous one, and those retained for a rollback.
                own.plurals["replicasets.apps"] += spec["revisionHistoryLimit"].integer(10) + 2
            case "StatefulSet" | "DaemonSet":
                serving += pods
                own.plurals["controllerrevisions.apps"] += spec["revisionHistoryLimit"].integer(10) + 2
            case "Job":
                finished = _finished(spec)
            case "CronJob":
                job = spec.at("jobTemplate", "spec")
                history = _retained_jobs(spec)
                own.plurals["jobs.batch"] += history + max(1, math.ceil(pods / max(1, _at_once(job))))
                finished = history * (_at_once(job) + _finished(job))
            case _:
                serving += pods
        # Finished pods exist until their owner is deleted; `pods` does not count them, `count/pods` does.
        own.plurals["pods"] += finished + (pods if item.workload.kind != "Pod" else 0)
    services = own.plurals["services"]
    own.plurals["endpointslices.discovery.k8s.io"] += services * max(1, math.ceil(serving / _SLICE))
    own.plurals["endpoints"] += services


def _retained_jobs(spec: Node) -> int:
    """Return the maximum of finished jobs of a CronJob, by its history limits and the TTL of its jobs."""
    history = spec["successfulJobsHistoryLimit"].integer(3) + spec["failedJobsHistoryLimit"].integer(1)
    ttl = spec.at("jobTemplate", "spec", "ttlSecondsAfterFinished")
    if not ttl.present or not ttl.known() or not spec["schedule"].known():
        return history
    return min(history, math.ceil(max(0, ttl.number()) / min_interval(spec["schedule"].text())))


def _at_once(job: Node) -> int:
    return max(1, job["parallelism"].integer(1))


def _finished(job: Node) -> int:
    """Return the pods that one job leaves behind: the completed and, without restarts, the failed ones."""
    restarts = job.at("template", "spec", "restartPolicy").is_one_of("OnFailure")
    return job["completions"].integer(1) + (0 if restarts else job["backoffLimit"].integer(6))
