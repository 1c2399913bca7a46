"""Ingresses and network policies."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.objects.networks import (
    ingress_problems,
    network_policy_problems,
    network_range,
)
from rehearsal.pulumi.properties import UNKNOWN

MAYBE = {"key": "a", "operator": "Maybe"}
SERVICE: dict[str, Any] = {"name": "s", "port": {"number": 80}}
BACKEND = {"service": SERVICE}


def ingress(**spec: Any) -> list[str]:
    return [one.path for one in ingress_problems({"spec": {"defaultBackend": BACKEND, **spec}})]


def path(**entry: Any) -> dict[str, Any]:
    return {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND, **entry}]}}


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({}, []),
        ({"defaultBackend": UNKNOWN, "rules": [path(path=UNKNOWN)]}, []),
        ({"defaultBackend": None, "rules": []}, ["spec"]),
        ({"defaultBackend": {"service": {**SERVICE, "name": "S"}}}, ["spec.defaultBackend.service.name"]),
        ({"defaultBackend": {"service": {"name": "s"}}}, ["spec.defaultBackend.service.port"]),
        ({"defaultBackend": {**BACKEND, "resource": {"kind": "A", "name": "b"}}}, ["spec.defaultBackend"]),
        ({"tls": [{"hosts": ["a.example", "a_b"]}]}, ["spec.tls[0].hosts[1]"]),
        ({"ingressClassName": "Nginx_1"}, ["spec.ingressClassName"]),
        ({"rules": [{"host": "1.2.3.4", **path()}]}, ["spec.rules[0].host"]),
        ({"rules": [{"host": "*.a.example", **path()}]}, []),
        ({"rules": [{"http": {"paths": []}}]}, ["spec.rules[0].http.paths"]),
        ({"rules": [path(path="/a//b")]}, ["spec.rules[0].http.paths[0].path"]),
        ({"rules": [path(path="/a/..")]}, ["spec.rules[0].http.paths[0].path"]),
        ({"rules": [path(path="/a//b", pathType="ImplementationSpecific")]}, []),
    ],
)  # fmt: skip
def test_ingress_is_checked(spec: dict[str, Any], found: list[str]) -> None:
    assert ingress(**spec) == found


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"ingress": [{"from": [{"podSelector": {}}, {"ipBlock": {"cidr": UNKNOWN}}]}]}, []),
        ({"ingress": [{"from": [{}]}]}, ["spec.ingress[0].from[0]"]),
        ({"ingress": [{"from": [UNKNOWN]}]}, []),
        ({"policyTypes": ["Ingress", "Egress", "Ingress"]}, ["spec.policyTypes"]),
        ({"podSelector": {"matchExpressions": [MAYBE]}}, ["spec.podSelector.matchExpressions[0].operator"]),
        ({"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]}]}, ["spec.egress[0].to[0].ipBlock.cidr"]),
        ({"egress": [{"ports": [{"port": 90, "endPort": 80}]}]}, ["spec.egress[0].ports[0].endPort"]),
    ],
)  # fmt: skip
def test_network_policy_is_checked(spec: dict[str, Any], found: list[str]) -> None:
    assert [one.path for one in network_policy_problems({"spec": spec})] == found


@pytest.mark.parametrize(("value", "number"), [("10.0.0.0/8", 0), (UNKNOWN, 0), (None, 0), ("everywhere", 1)])
def test_address_range_is_checked(value: Any, number: int) -> None:
    assert len(list(network_range(value, ("a",)))) == number
