"""Checks of where a pod may run: tolerations, affinity and spread (`pkg/apis/core/validation`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.kubernetes.values import (
    items,
    known_text,
    mapping,
    missing,
    numbers,
    one_of,
    opened,
    qualified_name,
)
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path

_TOLERATION_OPERATORS: Final = ("Equal", "Exists", "Lt", "Gt")
_WITH_VALUES: Final = ("In", "NotIn")
_WITHOUT_VALUES: Final = ("Exists", "DoesNotExist")
_WITH_ONE_VALUE: Final = ("Gt", "Lt")
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_MAX_WEIGHT: Final = 100


def scheduling_problems(spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Problems of the tolerations, the affinity and the spread in a pod's `spec` at `path`."""
    for number, toleration in enumerate(items(spec.get("tolerations"))):
        if isinstance(toleration, Mapping):
            yield from _toleration(toleration, (*path, "tolerations", number))
    yield from _spread(items(spec.get("topologySpreadConstraints")), (*path, "topologySpreadConstraints"))
    affinity, at = mapping(spec.get("affinity")), (*path, "affinity")
    node = mapping(affinity.get("nodeAffinity"))
    required = opened(node.get(_REQUIRED))
    if isinstance(required, Mapping):
        below = (*at, "nodeAffinity", _REQUIRED, "nodeSelectorTerms")
        terms = opened(required.get("nodeSelectorTerms"))
        if missing(terms):
            yield problem(below, "at least one term is required")
        for number, term in enumerate(items(terms)):
            yield from _node_term(term, (*below, number))
    for number, weighted in enumerate(items(node.get(_PREFERRED))):
        if isinstance(weighted, Mapping):
            below = (*at, "nodeAffinity", _PREFERRED, number)
            yield from numbers(weighted, below, {"weight": 1}, _MAX_WEIGHT)
            yield from _node_term(opened(weighted.get("preference")), (*below, "preference"))
    for kind in ("podAffinity", "podAntiAffinity"):
        pods = mapping(affinity.get(kind))
        for number, term in enumerate(items(pods.get(_REQUIRED))):
            yield from _pod_term(term, (*at, kind, _REQUIRED, number))
        for number, weighted in enumerate(items(pods.get(_PREFERRED))):
            if isinstance(weighted, Mapping):
                below = (*at, kind, _PREFERRED, number)
                yield from numbers(weighted, below, {"weight": 1}, _MAX_WEIGHT)
                yield from _pod_term(opened(weighted.get("podAffinityTerm")), (*below, "podAffinityTerm"))


def _toleration(toleration: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    yield from one_of(toleration, path, "operator", _TOLERATION_OPERATORS)
    yield from one_of(toleration, path, "effect", ("", "NoExecute", "NoSchedule", "PreferNoSchedule"))
    operator, effect = opened(toleration.get("operator", "Equal")), opened(toleration.get("effect"))
    if operator == "Exists" and known_text(toleration.get("value")):
        yield problem((*path, "value"), "must be empty where operator is Exists")
    if operator not in ("Exists", UNKNOWN) and opened(toleration.get("key")) in (None, ""):
        yield problem((*path, "operator"), "must be Exists where key is empty")
    if toleration.get("tolerationSeconds") is not None and effect not in ("NoExecute", UNKNOWN):
        yield problem((*path, "effect"), "must be NoExecute where tolerationSeconds is set")


def _spread(constraints: list[Any], path: Path) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for number, constraint in enumerate(constraints):
        if not isinstance(constraint, Mapping):
            continue
        at = (*path, number)
        yield from numbers(constraint, at, {"maxSkew": 1, "minDomains": 1})
        key, unsatisfiable = (
            known_text(constraint.get(name)) for name in ("topologyKey", "whenUnsatisfiable")
        )
        if constraint.get("minDomains") is not None and unsatisfiable == "ScheduleAnyway":
            yield problem((*at, "minDomains"), "may be set only where whenUnsatisfiable is DoNotSchedule")
        if key and unsatisfiable:
            if (key, unsatisfiable) in seen:
                yield problem(at, f"is the second constraint of {key} with {unsatisfiable}")
            seen.add((key, unsatisfiable))
        yield from selector_problems(constraint.get("labelSelector"), (*at, "labelSelector"))


def _node_term(term: Any, path: Path) -> Iterator[Problem]:
    for kind in ("matchExpressions", "matchFields"):
        yield from _expressions(mapping(term).get(kind), (*path, kind), compares=True)


def _pod_term(term: Any, path: Path) -> Iterator[Problem]:
    if not isinstance(term, Mapping):
        return
    if opened(term.get("topologyKey")) in (None, ""):
        yield problem((*path, "topologyKey"), "missing required property")
    for kind in ("labelSelector", "namespaceSelector"):
        yield from selector_problems(term.get(kind), (*path, kind))


def selector_problems(selector: Any, path: Path) -> Iterator[Problem]:
    """Problems of the expressions in a label selector at `path`."""
    yield from _expressions(mapping(selector).get("matchExpressions"), (*path, "matchExpressions"))


def _expressions(expressions: Any, path: Path, *, compares: bool = False) -> Iterator[Problem]:
    """Yield problems of expressions; `compares` allows `Gt` and `Lt`, which only node selectors have."""
    operators = (*_WITH_VALUES, *_WITHOUT_VALUES, *(_WITH_ONE_VALUE if compares else ()))
    for number, expression in enumerate(items(expressions)):
        if not isinstance(expression, Mapping):
            continue
        at = (*path, number)
        yield from qualified_name(expression.get("key"), (*at, "key"))
        yield from one_of(expression, at, "operator", operators)
        operator, values = opened(expression.get("operator")), opened(expression.get("values"))
        if values is UNKNOWN:
            continue
        count = len(values) if isinstance(values, list) else 0
        if operator in _WITH_VALUES and not count:
            yield problem((*at, "values"), f"required where operator is {operator}")
        elif operator in _WITHOUT_VALUES and count:
            yield problem((*at, "values"), f"must not be set where operator is {operator}")
        elif compares and operator in _WITH_ONE_VALUE and count != 1:
            yield problem((*at, "values"), f"must have one value where operator is {operator}")
