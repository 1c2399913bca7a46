"""A load test reaches DNS, the API and its own pods; nothing reaches it."""

from __future__ import annotations

from typing import Any

from tests.infra.rehearsal import Declared


def policies(declared: Declared, namespace: str) -> dict[str, Any]:
    return {
        each["metadata"]["name"]: each["spec"]
        for each in declared.of("NetworkPolicy").values()
        if each["metadata"]["namespace"] == namespace
    }


def test_default_deny_and_what_is_needed(with_load_test: Declared) -> None:
    found = policies(with_load_test, "kingdom-loadtest")
    assert set(found) == {"default-deny", "to-names", "to-api", "to-coordinator", "from-workers"}
    assert found["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ((api,),) = [rule["to"] for rule in found["to-api"]["egress"]]
    assert api["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "kingdom"}
    assert api["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "api"
    assert found["to-api"]["egress"][0]["ports"] == [{"port": 8080, "protocol": "TCP"}]
    (workers,) = found["from-workers"]["ingress"]
    assert workers["ports"] == [{"port": 5557, "protocol": "TCP"}]
    assert "namespaceSelector" not in workers["from"][0]


def test_the_api_admits_the_load_test_only_while_there_is_one(
    with_load_test: Declared, prod: Declared
) -> None:
    assert set(policies(with_load_test, "kingdom")) - set(policies(prod, "kingdom")) == {"from-loadtest"}
    admitted = policies(with_load_test, "kingdom")["from-loadtest"]
    assert admitted["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "api"
    ((peer,),) = [rule["from"] for rule in admitted["ingress"]]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "kingdom-loadtest"}
    labels = with_load_test.one("Job", "loadtest-job")["spec"]["template"]["metadata"]["labels"]
    assert peer["podSelector"]["matchLabels"].items() <= labels.items()
