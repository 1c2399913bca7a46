"""Roles and bindings: rules, aggregation and subjects."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.objects.rbac import (
    cluster_role_binding_problems,
    cluster_role_problems,
    role_binding_problems,
    role_problems,
)
from rehearsal.pulumi.properties import UNKNOWN

GROUP = "rbac.authorization.k8s.io"
READ = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}


def paths(problems: Any) -> list[str]:
    return [one.path for one in problems]


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        (READ | {"verbs": []}, "rules[0].verbs"),
        (READ | {"resources": []}, "rules[0].resources"),
        ({"resources": ["pods"], "verbs": ["get"]}, "rules[0].apiGroups"),
        (READ | {"nonResourceURLs": ["/metrics"]}, "rules[0].nonResourceURLs"),
    ],
)
def test_rule_that_the_server_refuses(rule: dict[str, Any], path: str) -> None:
    assert paths(cluster_role_problems({"rules": [rule]})) == [path]


@pytest.mark.parametrize("rule", [READ, READ | {"verbs": UNKNOWN}, READ | {"resources": UNKNOWN}])
def test_rule_that_the_server_accepts(rule: dict[str, Any]) -> None:
    assert paths(role_problems({"rules": [rule, UNKNOWN]})) == []


def test_urls_are_allowed_in_a_cluster_role_only() -> None:
    rules = {"rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]}
    assert paths(cluster_role_problems(rules)) == []
    assert paths(role_problems(rules)) == ["rules[0].nonResourceURLs"]


def test_an_aggregation_has_a_selector() -> None:
    empty: dict[str, Any] = {"aggregationRule": {"clusterRoleSelectors": []}}
    assert paths(cluster_role_problems(empty)) == ["aggregationRule.clusterRoleSelectors"]
    selector = {"matchLabels": {"a": "b"}}
    assert paths(cluster_role_problems({"aggregationRule": {"clusterRoleSelectors": [selector]}})) == []


@pytest.mark.parametrize(
    ("reference", "subject", "path"),
    [
        ({"kind": "Group"}, {}, "roleRef.kind"),
        ({"apiGroup": "a"}, {}, "roleRef.apiGroup"),
        ({}, {"kind": "Robot", "apiGroup": GROUP}, "subjects[0].kind"),
        ({}, {"name": ""}, "subjects[0].name"),
        ({}, {"apiGroup": GROUP}, "subjects[0].apiGroup"),
        ({}, {"kind": "User", "apiGroup": "a"}, "subjects[0].apiGroup"),
    ],
)
def test_binding_that_the_server_refuses(
    reference: dict[str, Any], subject: dict[str, Any], path: str
) -> None:
    role = {"apiGroup": GROUP, "kind": "Role", "name": "r", **reference}
    account = {"kind": "ServiceAccount", "name": "a", "namespace": "kingdom", **subject}
    assert paths(role_binding_problems({"roleRef": role, "subjects": [account]})) == [path]


def test_an_account_in_a_cluster_role_binding_has_a_namespace() -> None:
    account = {"kind": "ServiceAccount", "name": "a"}
    role = {"apiGroup": GROUP, "kind": "ClusterRole", "name": "r"}
    binding = {"roleRef": role, "subjects": [account]}
    assert paths(cluster_role_binding_problems(binding)) == ["subjects[0].namespace"]
    assert paths(role_binding_problems(binding)) == []
