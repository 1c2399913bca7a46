"""Gateways and HTTP routes; `control_plane_faults.yaml` has faults in them (test_validation)."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.objects.gateways import gateway_api_problems
from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.providers.calls import Calls, urn


def test_a_gateway_of_another_group_is_not_checked(kubernetes: Calls) -> None:
    gateway: dict[str, Any] = {"metadata": {"name": "g", "namespace": "kingdom"}, "spec": {"listeners": []}}
    assert not kubernetes.check(urn("kubernetes:networking.istio.io/v1:Gateway"), gateway).failures


@pytest.mark.parametrize(
    ("request_", "backend", "found"),
    [("1m", "61s", 1), ("1m1s", "61s", 0), ("0s", "5s", 0), ("1500ms", "1s", 0), (UNKNOWN, "5s", 0)],
)
def test_a_backend_has_no_longer_timeout_than_the_request(request_: Any, backend: str, found: int) -> None:
    rule = {"timeouts": {"request": request_, "backendRequest": backend}}
    assert len(list(gateway_api_problems("HTTPRoute", {"spec": {"rules": [rule]}}))) == found
