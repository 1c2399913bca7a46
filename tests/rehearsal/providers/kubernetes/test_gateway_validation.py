"""Gateways and HTTP routes; `control_plane_faults.yaml` has objects, variations and faults of many kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.providers.kubernetes.gateway_validation import gateway_api_problems
from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.providers.calls import Calls, urn
from tests.rehearsal.providers.constraints.test_faults import with_an_unknown_value
from tests.rehearsal.providers.kubernetes.test_object_validation import changed

CASES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("control_plane_faults.yaml").read_text())


@pytest.mark.parametrize("token", CASES)
def test_valid_variations_are_accepted_and_faults_are_reported_at_their_path(
    token: str, kubernetes: Calls
) -> None:
    case = CASES[token]
    assert not kubernetes.check(urn(token), case["valid"]).failures
    for one in case.get("variations", ()):
        failures = kubernetes.check(urn(token), changed(case["valid"], one["path"], one["value"])).failures
        assert not failures, (one, failures)
    for fault in case["faults"]:
        failures = kubernetes.check(
            urn(token), changed(case["valid"], fault["path"], fault["value"])
        ).failures
        assert fault.get("at", fault["path"]) in failures, (fault, failures)


@pytest.mark.parametrize("token", CASES)
def test_a_value_that_is_not_known_is_accepted(token: str, kubernetes: Calls) -> None:
    valid = CASES[token]["valid"]
    for one in (None, *CASES[token].get("variations", ())):
        inputs = changed(valid, one["path"], one["value"]) if one else valid
        for unknown in with_an_unknown_value(inputs):
            if unknown is not UNKNOWN:
                assert not kubernetes.check(urn(token), unknown).failures, unknown


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
