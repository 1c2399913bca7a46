"""NetworkPolicies: everything is denied except the required flows."""

from __future__ import annotations

from tests.infra.rehearsal import Declared


def test_the_namespace_denies_all_traffic_by_default(declared: Declared) -> None:
    policy = declared.one("NetworkPolicy", "isolation-default-deny")["spec"]
    assert policy == {"policyTypes": ["Ingress", "Egress"], "podSelector": {}}


def test_every_allowed_flow_names_peers_and_ports(declared: Declared) -> None:
    for name, policy in declared.of("NetworkPolicy").items():
        spec = policy["spec"]
        for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
            assert rule.get("ports"), name
            assert rule.get("from") or rule.get("to"), name


def test_only_the_api_accepts_the_load_balancer(prod: Declared) -> None:
    spec = prod.one("NetworkPolicy", "isolation-from-load-balancer")["spec"]
    assert spec["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "api"
    peers = {peer["ipBlock"]["cidr"] for rule in spec["ingress"] for peer in rule["from"]}
    assert peers == {"35.191.0.0/16", "130.211.0.0/22"}, "probes and proxies of Google's load balancers"
