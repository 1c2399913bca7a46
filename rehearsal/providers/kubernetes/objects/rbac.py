"""Checks of roles and role bindings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.kubernetes.pods.scheduling import selector_problems
from rehearsal.providers.kubernetes.values import given, items, known_text, mapping, missing, one_of, opened
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN

Found = Iterator[Problem]

_RBAC: Final = "rbac.authorization.k8s.io"


def _rules(inputs: Mapping[str, Any]) -> Found:
    for number, rule in enumerate(items(inputs.get("rules"))):
        if not isinstance(rule, Mapping):
            continue
        if opened(rule.get("verbs")) == []:
            yield problem(("rules", number, "verbs"), "at least one verb is required")
        urls = opened(rule.get("nonResourceURLs"))
        if missing(urls) and missing(rule.get("resources")):
            yield problem(("rules", number, "resources"), "at least one resource is required")
        if missing(urls) and missing(rule.get("apiGroups")):
            yield problem(("rules", number, "apiGroups"), 'at least one group is required, such as ""')
        others = ("apiGroups", "resourceNames", "resources")
        if given(urls) and any(given(rule.get(name)) for name in others):
            yield problem(("rules", number, "nonResourceURLs"), "must not be set beside resources")


def role_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a Role (`ValidateRole`)."""
    yield from _rules(inputs)
    for number, rule in enumerate(items(inputs.get("rules"))):
        if given(mapping(rule).get("nonResourceURLs")):
            yield problem(("rules", number, "nonResourceURLs"), "may be set in a ClusterRole only")


def cluster_role_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a ClusterRole (`ValidateClusterRole`)."""
    yield from _rules(inputs)
    aggregation = opened(inputs.get("aggregationRule"))
    if isinstance(aggregation, Mapping):
        at = ("aggregationRule", "clusterRoleSelectors")
        if missing(aggregation.get("clusterRoleSelectors")):
            yield problem(at, "at least one selector is required")
        for number, selector in enumerate(items(aggregation.get("clusterRoleSelectors"))):
            yield from selector_problems(selector, (*at, number))


def role_binding_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a RoleBinding (`ValidateRoleBinding`)."""
    yield from _binding(inputs, ("ClusterRole", "Role"))


def cluster_role_binding_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a ClusterRoleBinding (`ValidateClusterRoleBinding`)."""
    yield from _binding(inputs, ("ClusterRole",))


def _binding(inputs: Mapping[str, Any], kinds: tuple[str, ...]) -> Found:
    reference = mapping(inputs.get("roleRef"))
    yield from one_of(reference, ("roleRef",), "kind", kinds)
    yield from one_of(reference, ("roleRef",), "apiGroup", (_RBAC,))
    for number, subject in enumerate(items(inputs.get("subjects"))):
        if isinstance(subject, Mapping):
            at = ("subjects", number)
            yield from one_of(subject, at, "kind", ("Group", "ServiceAccount", "User"))
            if known_text(subject.get("name")) == "":
                yield problem((*at, "name"), "missing required property")
            account = opened(subject.get("kind")) == "ServiceAccount"
            if account and "Role" not in kinds and missing(subject.get("namespace")):
                yield problem((*at, "namespace"), "required for a ServiceAccount")
            if opened(subject.get("kind")) is not UNKNOWN:
                yield from one_of(subject, at, "apiGroup", ("",) if account else (_RBAC,))
