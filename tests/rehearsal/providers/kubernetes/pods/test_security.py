"""Security contexts that the API server refuses, and what it accepts."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.pods.security import security_problems
from rehearsal.pulumi.properties import UNKNOWN


def found(context: Any) -> set[str]:
    return {one.path for one in security_problems(context, ())}


@pytest.mark.parametrize(
    ("context", "path"),
    [
        ({"runAsUser": -1}, "runAsUser"),
        ({"fsGroup": 2**31}, "fsGroup"),
        ({"seccompProfile": {"type": "Localhost"}}, "seccompProfile.localhostProfile"),
        (
            {"appArmorProfile": {"type": "RuntimeDefault", "localhostProfile": "a"}},
            "appArmorProfile.localhostProfile",
        ),
        ({"privileged": True, "allowPrivilegeEscalation": False}, "allowPrivilegeEscalation"),
        (
            {"capabilities": {"add": ["CAP_SYS_ADMIN"]}, "allowPrivilegeEscalation": False},
            "allowPrivilegeEscalation",
        ),
    ],
)
def test_a_violation_is_reported_at_its_property(context: dict[str, Any], path: str) -> None:
    assert found(context) == {path}


@pytest.mark.parametrize(
    "context",
    [None, UNKNOWN, {"runAsUser": 0}, {"seccompProfile": {"type": UNKNOWN}}, {"privileged": UNKNOWN}],
)
def test_valid_and_unknown_specifications_are_accepted(context: Any) -> None:
    assert not found(context)
