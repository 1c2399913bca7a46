"""Checks of resource quotas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies.api import parse_quantity
from rehearsal.providers.kubernetes.values import items, mapping, missing, opened, value_at
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
    for pair in _OPPOSITE_SCOPES:
        if {*items(value_at(inputs, "spec", "scopes"))} >= pair:
            yield problem(("spec", "scopes"), f"must not contain both {' and '.join(sorted(pair))}")
    expressions = ("spec", "scopeSelector", "matchExpressions")
    for number, expression in enumerate(items(value_at(inputs, *expressions))):
        operator, values = (opened(mapping(expression).get(name)) for name in ("operator", "values"))
        if operator in ("In", "NotIn") and missing(values):
            yield problem((*expressions, number, "values"), f"required where operator is {operator}")


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
