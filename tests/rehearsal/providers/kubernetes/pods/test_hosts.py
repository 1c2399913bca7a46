"""Names of pods, their name resolution, and what they share with a host."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.pods.hosts import host_problems
from rehearsal.pulumi.properties import UNKNOWN


def found(spec: dict[str, Any]) -> list[str]:
    return [one.path for one in host_problems(spec, ())]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"hostname": "Host_1"}, "hostname"),
        ({"subdomain": "a.b"}, "subdomain"),
        ({"dnsConfig": {"nameservers": ["a.b"]}}, "dnsConfig.nameservers[0]"),
        ({"dnsConfig": {"nameservers": ["1.1.1.1"] * 4}}, "dnsConfig.nameservers"),
        ({"hostAliases": [{"ip": "nowhere", "hostnames": ["a"]}]}, "hostAliases[0].ip"),
        ({"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a_b"]}]}, "hostAliases[0].hostnames[0]"),
        ({"hostPID": True, "shareProcessNamespace": True}, "shareProcessNamespace"),
        ({"readinessGates": [{"conditionType": "a b"}]}, "readinessGates[0].conditionType"),
        ({"os": {"name": "macos"}}, "os.name"),
        ({"overhead": {"cpu": "-1"}}, "overhead.cpu"),
    ],
)
def test_pod_that_the_server_refuses(spec: dict[str, Any], path: str) -> None:
    assert found(spec) == [path]


@pytest.mark.parametrize(
    "spec",
    [
        {"hostname": "", "subdomain": "a"},
        {"hostname": UNKNOWN, "dnsConfig": {"nameservers": [UNKNOWN, "fd00::1"]}},
        {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a.b"]}]},
        {"hostPID": True, "shareProcessNamespace": False},
        {"readinessGates": [{"conditionType": "cloud.google.com/load-balancer-neg-ready"}]},
        {"os": {"name": "linux"}, "overhead": {"cpu": "1"}},
    ],
)
def test_pod_that_the_server_accepts(spec: dict[str, Any]) -> None:
    assert found(spec) == []
