"""Roles and bindings that grant everything are findings; the other default roles are not."""

from __future__ import annotations

from typing import Any

import pytest

from policies.testing import ResourceFixture, evaluate


def binding(role: str, kind: str = "ClusterRole", subject: str = "team") -> ResourceFixture:
    props: dict[str, Any] = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"kind": "Group", "name": subject}],
    }
    return ResourceFixture("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding", props)


def test_binding_of_cluster_admin_is_a_finding() -> None:
    [found] = evaluate("no-wildcard-permissions", binding("cluster-admin")).findings
    assert "roleRef.name: grants every right in its scope" in found


@pytest.mark.parametrize(
    ("role", "kind"), [("edit", "ClusterRole"), ("view", "ClusterRole"), ("cluster-admin", "Role")]
)
def test_role_without_a_wildcard_passes(role: str, kind: str) -> None:
    assert evaluate("no-wildcard-permissions", binding(role, kind)).findings == []


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("system:anonymous", "is granted to unauthenticated users"),
        ("system:authenticated", "is granted to every authenticated user"),
        ("system:masters", "grants `*`"),
    ],
)
def test_binding_to_everyone_is_a_finding(subject: str, text: str) -> None:
    [found] = evaluate("no-wildcard-permissions", binding("view", subject=subject)).findings
    assert text in found
