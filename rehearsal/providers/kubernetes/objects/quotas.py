"""Checks of resource quotas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies.api import parse_quantity
from rehearsal.providers.kubernetes.values import (
    items,
    mapping,
    missing,
    opened,
    scalar,
    value_at,
)
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN

Found = Iterator[Problem]

_QUOTA_SCOPES: Final = (
    "BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass",
    "Terminating", "VolumeAttributesClass",
)  # fmt: skip
_OPPOSITE_SCOPES: Final = ({"BestEffort", "NotBestEffort"}, {"NotTerminating", "Terminating"})
# `IsIntegerResourceName`, `IsStandardQuotaResourceName`
_COUNTED: Final = frozenset(
    {
        "configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets",
        "services", "services.loadbalancers", "services.nodeports",
    }
)  # fmt: skip
_QUOTA_RESOURCES: Final = _COUNTED | {
    "cpu", "ephemeral-storage", "limits.cpu", "limits.ephemeral-storage", "limits.memory", "memory",
    "requests.cpu", "requests.ephemeral-storage", "requests.memory", "requests.storage",
}  # fmt: skip
_QUOTA_PREFIXES: Final = ("hugepages-", "requests.hugepages-")


def resource_quota_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a ResourceQuota: resources, amounts and scopes (`ValidateResourceQuota`)."""
    yield from _amounts(inputs)
    for number, scope in enumerate(items(value_at(inputs, "spec", "scopes"))):
        if isinstance(scope, str) and scope is not UNKNOWN and scope not in _QUOTA_SCOPES:
            yield problem(("spec", "scopes", number), f"{scope!r} is not one of {', '.join(_QUOTA_SCOPES)}")
    yield from _scope_problems(inputs)
    for pair in _OPPOSITE_SCOPES:
        if {*map(scalar, items(value_at(inputs, "spec", "scopes")))} >= pair:
            yield problem(("spec", "scopes"), f"must not contain both {' and '.join(sorted(pair))}")
    expressions = ("spec", "scopeSelector", "matchExpressions")
    for number, expression in enumerate(items(value_at(inputs, *expressions))):
        operator, values = (opened(mapping(expression).get(name)) for name in ("operator", "values"))
        if operator in ("In", "NotIn") and missing(values):
            yield problem((*expressions, number, "values"), f"required where operator is {operator}")


# The standard resources that a scope restricts; with any other, the server refuses the scope
# (`IsResourceQuotaScopeValidForResource`).
_PODS: Final = frozenset({"pods"})
_COMPUTE: Final = _PODS | {
    "cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory",
}  # fmt: skip
_SCOPED: Final = {
    "BestEffort": _PODS,
    "CrossNamespacePodAffinity": _COMPUTE,
    "NotBestEffort": _COMPUTE,
    "NotTerminating": _COMPUTE,
    "PriorityClass": _COMPUTE,
    "Terminating": _COMPUTE,
    "VolumeAttributesClass": frozenset({"persistentvolumeclaims", "requests.storage"}),
}


def _scope_problems(inputs: Mapping[str, Any]) -> Found:
    hard = mapping(value_at(inputs, "spec", "hard"))
    expressions = items(value_at(inputs, "spec", "scopeSelector", "matchExpressions"))
    scopes = [
        *items(value_at(inputs, "spec", "scopes")),
        *(opened(mapping(item).get("scopeName")) for item in expressions),
    ]
    for scope in dict.fromkeys(scope for scope in scopes if isinstance(scope, str) and scope is not UNKNOWN):
        for name in hard:
            if name in _QUOTA_RESOURCES and name not in _SCOPED.get(scope, _QUOTA_RESOURCES):
                yield problem(("spec", "hard", name), f"{name} cannot have the scope {scope}")


def _amounts(inputs: Mapping[str, Any]) -> Found:
    for name, value in mapping(value_at(inputs, "spec", "hard")).items():
        amount = opened(value)
        if amount is UNKNOWN:
            continue
        if str(amount).startswith("-"):
            yield problem(("spec", "hard", name), f"{amount} is negative")
        if "/" not in name and name not in _QUOTA_RESOURCES and not name.startswith(_QUOTA_PREFIXES):
            yield problem(
                ("spec", "hard", name), f"{name!r} is neither a resource of quotas nor one with a domain"
            )
        counted = parse_quantity(amount) if isinstance(amount, (str, int, float)) else None
        if name in _COUNTED and counted is not None and counted.denominator != 1:
            yield problem(("spec", "hard", name), f"{amount} is not a whole number")
