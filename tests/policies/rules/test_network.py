"""NetworkPolicies: which peers and ports are every peer and every port."""

from __future__ import annotations

import pytest

from tests.support.manifests import manifest, outcome

HALVES = "10.0.0.0/9, 10.128.0.0/9, 172.16.0.0/12, 192.168.0.0/16"
EGRESS = {
    "empty rule": ("[{}]", "found"),
    "one port": ("[{ports: [{protocol: UDP, port: 53}]}]", "clean"),
    "whole range": ("[{ports: [{port: 1, endPort: 65535}]}]", "found"),
    "two ranges that meet": (
        "[{ports: [{port: 32768, endPort: 65535}, {port: 1, endPort: 32767}]}]",
        "found",
    ),
    "two ranges with a gap": (
        "[{ports: [{port: 1, endPort: 32766}, {port: 32768, endPort: 65535}]}]",
        "clean",
    ),
    "ranges of two protocols": (
        "[{ports: [{port: 1, endPort: 32767}, {protocol: UDP, port: 32768, endPort: 65535}]}]",
        "clean",
    ),
    "named port": ("[{ports: [{port: http}]}]", "clean"),
    "named port with an end": ("[{ports: [{port: http, endPort: 65535}]}]", "clean"),
    "empty except": ("[{to: [{ipBlock: {cidr: 0.0.0.0/0, except: []}}], ports: [{port: 443}]}]", "found"),
    "except": ("[{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}], ports: [{port: 443}]}]", "clean"),
    "except of another range": (
        "[{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}], ports: [{port: 443}]}]",
        "found",
    ),
    "except of the cluster's range": (
        "[{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.64.0.0/14]}}], ports: [{port: 443}]}]",
        "clean",
    ),
    "public addresses": (
        "[{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16]}}]}]",
        "clean",
    ),
    "public addresses in halves": (
        f"[{{to: [{{ipBlock: {{cidr: 0.0.0.0/0, except: [{HALVES}]}}}}]}}]",
        "clean",
    ),
    "all ports but one private range": (
        "[{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}]",
        "found",
    ),
    "public IPv6 addresses": ("[{to: [{ipBlock: {cidr: '::/0', except: ['fc00::/7']}}]}]", "clean"),
    "IPv6 with an except of IPv4": (
        "[{to: [{ipBlock: {cidr: '::/0', except: [10.0.0.0/8]}}], ports: [{port: 443}]}]",
        "found",
    ),
    "two halves": ("[{to: [{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}]}]", "found"),
    "all namespaces": ("[{to: [{namespaceSelector: {}}]}]", "clean"),
    "no rule": ("[]", "clean"),
}


LOAD_BALANCERS = {
    "": "found",
    "networking.gke.io/load-balancer-type: Internal": "clean",
    'service.beta.kubernetes.io/aws-load-balancer-internal: "true"': "clean",
    "service.beta.kubernetes.io/aws-load-balancer-scheme: internal": "clean",
    "service.beta.kubernetes.io/aws-load-balancer-scheme: internet-facing": "found",
    'service.beta.kubernetes.io/azure-load-balancer-internal: "true"': "clean",
    'service.beta.kubernetes.io/azure-load-balancer-internal: "false"': "found",
    "service.kubernetes.io/qcloud-loadbalancer-internal-subnetid: subnet-x": "clean",
}


@pytest.mark.parametrize("annotation", LOAD_BALANCERS)
def test_internal_load_balancers_of_each_cloud_are_not_public(annotation: str) -> None:
    spec = "type: LoadBalancer, ports: [{port: 80}]"
    text = manifest("v1", "Service", spec, more=f"annotations: {{{annotation}}}")
    assert outcome(text, "service-exposed").result == LOAD_BALANCERS[annotation]


@pytest.mark.parametrize("name", EGRESS)
@pytest.mark.parametrize("api", ["networking.k8s.io/v1", "extensions/v1beta1"])
def test_egress_to_everywhere_is_found(name: str, api: str) -> None:
    rules, expected = EGRESS[name]
    text = manifest(api, "NetworkPolicy", f"podSelector: {{}}, policyTypes: [Egress], egress: {rules}")
    assert outcome(text, "network-policy-open").result == expected


INGRESS = {
    "empty rule": ("[{}]", "found"),
    "every address": ("[{from: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 443}]}]", "found"),
    "empty except": ("[{from: [{ipBlock: {cidr: 0.0.0.0/0, except: []}}]}]", "found"),
    "except of everything": (
        "[{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [0.0.0.0/1, 128.0.0.0/1]}}]}]",
        "clean",
    ),
    "except of one address": (
        "[{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}], ports: [{port: 443}]}]",
        "found",
    ),
    "public addresses": (
        "[{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16]}}]}]",
        "clean",
    ),
    "except of one private range, one port": (
        "[{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}], ports: [{port: 443}]}]",
        "clean",
    ),
    "except of one private range, every port": (
        "[{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}]",
        "found",
    ),
    "half without the private range in it": (
        "[{from: [{ipBlock: {cidr: 0.0.0.0/1, except: [10.0.0.0/8]}}]}]",
        "clean",
    ),
    "IPv6 with an except of IPv4": (
        "[{from: [{ipBlock: {cidr: '::/0', except: [10.0.0.0/8]}}], ports: [{port: 443}]}]",
        "found",
    ),
    "public IPv6 addresses": ("[{from: [{ipBlock: {cidr: '::/0', except: ['fc00::/7']}}]}]", "clean"),
    "range of an organization": ("[{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]", "clean"),
}


@pytest.mark.parametrize("name", INGRESS)
def test_exceptions_of_ingress_from_everywhere(name: str) -> None:
    rules, expected = INGRESS[name]
    text = manifest(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        f"podSelector: {{}}, policyTypes: [Ingress], ingress: {rules}",
    )
    assert outcome(text, "network-policy-open").result == expected
