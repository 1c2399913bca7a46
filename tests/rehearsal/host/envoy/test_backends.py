"""Backends of routes: names, durations and attached policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.envoy.backends import Backend, attached, duration
from tests.rehearsal.host.kubernetes.objects import NAMESPACE, declared, store_of


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("1m30s", 90), ("500ms", 0.5), ("2h", 7200), ("1.5s", 1.5), ("", 0)]
)
def test_duration_of_the_gateway_api(text: str, seconds: float) -> None:
    assert duration(text) == seconds


def test_cluster_is_named_by_service_and_port() -> None:
    assert Backend("n", "api", 80).cluster == "n_api_80"
    assert Backend("n", "api", None).cluster == "n_api_any"


@pytest.mark.parametrize(
    ("targets", "found"),
    [
        ({"targetRef": {"kind": "Service", "name": "api"}}, True),
        ({"targetRefs": [{"kind": "Service", "name": "x"}, {"kind": "Service", "name": "api"}]}, True),
        ({"targetRef": {"kind": "Gateway", "name": "api"}}, False),
        ({}, False),
    ],
)
def test_policy_is_attached_to_its_service(tmp_path: Path, targets: dict[str, Any], found: bool) -> None:
    store = store_of(tmp_path, declared("HealthCheckPolicy", {"default": {"a": 1}} | targets))
    backend = Backend(NAMESPACE, "api", 80)
    assert attached(store, "HealthCheckPolicy", backend) == ({"a": 1} if found else {})
    assert attached(store, "GCPBackendPolicy", backend) == {}
    assert attached(store, "HealthCheckPolicy", Backend("other", "api", 80)) == {}
