"""Admission control as in the API server: LimitRange defaults and bounds, and ResourceQuota.

Sources: ``plugin/pkg/admission/limitranger``, ``plugin/pkg/admission/resourcequota`` and
``pkg/quota/v1/evaluator/core`` of Kubernetes.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from rehearsal.host.desired_state import Desired, DesiredStore
from rehearsal.host.kubernetes.quantities import quantity, written

Usage = dict[str, Decimal]


class AdmissionError(Exception):
    """The object is rejected; the message is the one of the API server."""


def with_defaults(spec: Mapping[str, Any], limit_ranges: Iterable[Desired]) -> dict[str, Any]:
    """Return the pod spec with the container defaults of LimitRanges applied.

    A limit without a request also sets the request.
    """
    result = copy.deepcopy(dict(spec))
    limits = [item for found in limit_ranges for item in found.spec.get("limits") or []]
    defaults = [item for item in limits if item.get("type") == "Container"]
    for container in [*(result.get("initContainers") or []), *(result.get("containers") or [])]:
        resources = container.setdefault("resources", {}) or {}
        container["resources"] = resources
        requests = resources["requests"] = dict(resources.get("requests") or {})
        bounds = resources["limits"] = dict(resources.get("limits") or {})
        for name, value in bounds.items():
            requests.setdefault(name, value)
        for item in defaults:
            for name, value in (item.get("default") or {}).items():
                bounds.setdefault(name, value)
            for name, value in (item.get("defaultRequest") or item.get("default") or {}).items():
                requests.setdefault(name, value)
    return result


def check_limits(pod: str, spec: Mapping[str, Any], limit_ranges: Iterable[Desired]) -> None:
    """Raise AdmissionError with every LimitRange bound that the pod violates."""
    problems: list[str] = []
    for found in limit_ranges:
        for item in found.spec.get("limits") or []:
            if item.get("type") == "Container":
                for container in spec.get("containers") or []:
                    problems += _overstepped(item, container.get("resources") or {}, "Container")
            elif item.get("type") == "Pod":
                total = {
                    "requests": _total(spec, "requests"),
                    "limits": _total(spec, "limits"),
                }
                problems += _overstepped(item, total, "Pod")
    if problems:
        raise AdmissionError(f'pods "{pod}" is forbidden: {", ".join(problems)}')


def _overstepped(item: Mapping[str, Any], resources: Mapping[str, Any], kind: str) -> list[str]:
    problems: list[str] = []
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for name, minimum in (item.get("min") or {}).items():
        asked = requests.get(name, limits.get(name))
        if asked is None:
            problems.append(f"minimum {name} usage per {kind} is {minimum}.  No request is specified")
        elif quantity(asked) < quantity(minimum):
            problems.append(f"minimum {name} usage per {kind} is {minimum}, but request is {asked}")
    for name, maximum in (item.get("max") or {}).items():
        limit = limits.get(name)
        if limit is None:
            problems.append(f"maximum {name} usage per {kind} is {maximum}.  No limit is specified")
        elif quantity(limit) > quantity(maximum):
            problems.append(f"maximum {name} usage per {kind} is {maximum}, but limit is {limit}")
    for name, maximum in (item.get("maxLimitRequestRatio") or {}).items():
        if name in requests and name in limits and quantity(requests[name]):
            ratio = quantity(limits[name]) / quantity(requests[name])
            if ratio > quantity(maximum):
                problems.append(
                    f"{name} max limit to request ratio per {kind} is {maximum}, "
                    f"but provided ratio is {ratio:f}"
                )
    return problems


def _total(spec: Mapping[str, Any], group: str) -> dict[str, str]:
    """Return a pod's request or limit: the sum of its containers or the largest init container, if higher."""
    total: Usage = defaultdict(Decimal)
    for container in spec.get("containers") or []:
        for name, value in ((container.get("resources") or {}).get(group) or {}).items():
            total[name] += quantity(value)
    for container in spec.get("initContainers") or []:
        for name, value in ((container.get("resources") or {}).get(group) or {}).items():
            total[name] = max(total[name], quantity(value))
    for name, value in (spec.get("overhead") or {}).items():
        total[name] += quantity(value)
    return {name: str(value) for name, value in total.items()}


def pod_usage(spec: Mapping[str, Any]) -> Usage:
    """Return the quota usage of a pod, under every resource name that a quota may use."""
    usage: Usage = {"pods": Decimal(1), "count/pods": Decimal(1)}
    for name, value in _total(spec, "requests").items():
        usage[f"requests.{name}"] = quantity(value)
        if name in {"cpu", "memory", "ephemeral-storage"}:
            usage[name] = quantity(value)
    for name, value in _total(spec, "limits").items():
        usage[f"limits.{name}"] = quantity(value)
    return usage


def check_quotas(
    pod: str, spec: Mapping[str, Any], others: Iterable[Mapping[str, Any]], quotas: Iterable[Desired]
) -> None:
    """Raise AdmissionError if a quota would be exceeded or if a resource that it limits is not specified.

    `others` are the specs of the pods that have not finished, which count against the quota.
    """
    others = list(others)
    for found in quotas:
        if not _in_scope(found.spec, spec):
            continue
        hard = {name: quantity(value) for name, value in (found.spec.get("hard") or {}).items()}
        asked = pod_usage(spec)
        tracked = [name for name in hard if _is_compute(name)]
        unsaid = sorted(name for name in tracked if name not in asked)
        if unsaid:
            raise AdmissionError(
                f'pods "{pod}" is forbidden: failed quota: {found.name}: must specify {_list(unsaid)}'
            )
        used: Usage = defaultdict(Decimal)
        for other in others:
            if _in_scope(found.spec, other):
                for name, value in pod_usage(other).items():
                    used[name] += value
        over = sorted(name for name in hard if name in asked and used[name] + asked[name] > hard[name])
        if over:
            raise AdmissionError(
                f'pods "{pod}" is forbidden: exceeded quota: {found.name}, '
                f"requested: {_pairs(over, asked)}, used: {_pairs(over, used)}, limited: {_pairs(over, hard)}"
            )


def check_count(desired: Desired, store: DesiredStore) -> None:
    """Raise AdmissionError if `desired` exceeds an object count quota of its namespace."""
    plural = _PLURALS.get(desired.kind)
    if plural is None or not desired.is_kubernetes:
        return
    group = str(desired.inputs.get("apiVersion") or "").rpartition("/")[0]
    names = {f"count/{plural}.{group}" if group else f"count/{plural}"}
    if not group:
        names.add(plural)
    same = [item for item in store.of_kind(desired.kind, desired.namespace) if item.name != desired.name]
    for found in store.of_kind("ResourceQuota", desired.namespace):
        for name in sorted(names & set(found.spec.get("hard") or {})):
            limit = quantity(found.spec["hard"][name])
            if len(same) + 1 > limit:
                raise AdmissionError(
                    f'{plural} "{desired.name}" is forbidden: exceeded quota: {found.name}, '
                    f"requested: {name}=1, used: {name}={len(same)}, limited: {name}={limit:f}"
                )


_PLURALS = {
    "ConfigMap": "configmaps",
    "CronJob": "cronjobs",
    "Deployment": "deployments",
    "Job": "jobs",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Secret": "secrets",
    "Service": "services",
    "StatefulSet": "statefulsets",
}


def _is_compute(name: str) -> bool:
    return name in {"cpu", "memory"} or name.startswith(("requests.cpu", "requests.memory", "limits."))


def _in_scope(quota: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
    selector = quota.get("scopeSelector") or {}
    expressions = list(selector.get("matchExpressions") or [])
    expressions += [{"scopeName": name, "operator": "Exists"} for name in quota.get("scopes") or []]
    return all(_meets(expression, spec) for expression in expressions)


def _meets(expression: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
    match expression["scopeName"]:
        case "BestEffort":
            return not _says_anything(spec)
        case "NotBestEffort":
            return _says_anything(spec)
        case "Terminating":
            return spec.get("activeDeadlineSeconds") is not None
        case "NotTerminating":
            return spec.get("activeDeadlineSeconds") is None
        case "PriorityClass":
            value = spec.get("priorityClassName")
            values = expression.get("values") or []
            return {
                "In": value in values,
                "NotIn": value not in values,
                "Exists": bool(value),
                "DoesNotExist": not value,
            }[expression["operator"]]
        case _:
            return False


def _says_anything(spec: Mapping[str, Any]) -> bool:
    return any(
        (container.get("resources") or {}).get(group)
        for container in spec.get("containers") or []
        for group in ("requests", "limits")
    )


def _list(names: Iterable[str]) -> str:
    return ",".join(names)


def _pairs(names: Iterable[str], usage: Mapping[str, Decimal]) -> str:
    return ",".join(f"{name}={written(usage.get(name, Decimal(0)))}" for name in names)
