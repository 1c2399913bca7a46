"""NetworkPolicies of a load test: its pods reach DNS, the API and one another, and nothing else."""

from __future__ import annotations

from typing import Any, Final

from infra.settings.roles import LOAD_TEST, PUBLIC
from infra.workload.namespace import selector
from infra.workload.network_policies import default_deny, opened_to, to_names
from infra.workload.pods import PORT

MASTER_PORT: Final = 5557
"""The port on which Locust's coordinator accepts its workers."""


def own_policies(service_namespace: str) -> dict[str, Any]:
    """Return the policies of the load test's namespace by name."""
    pods = {"pod_selector": {"match_labels": selector(LOAD_TEST)}}
    ports = [{"port": MASTER_PORT, "protocol": "TCP"}]
    api = _pods_of(service_namespace, PUBLIC)
    return {
        **default_deny(),
        **to_names(),
        "to-api": opened_to([api], [{"port": PORT, "protocol": "TCP"}]),
        "to-coordinator": opened_to([pods], ports),
        "from-workers": {**pods, "policy_types": ["Ingress"], "ingress": [{"from_": [pods], "ports": ports}]},
    }


def service_policies(namespace: str) -> dict[str, Any]:
    """Return the policy of the service's namespace that admits the load test to the API."""
    return {
        "from-loadtest": {
            "pod_selector": {"match_labels": selector(PUBLIC)},
            "policy_types": ["Ingress"],
            "ingress": [
                {
                    "from_": [_pods_of(namespace, LOAD_TEST)],
                    "ports": [{"port": PORT, "protocol": "TCP"}],
                }
            ],
        }
    }


def _pods_of(namespace: str, role: str) -> dict[str, Any]:
    return {
        "namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": namespace}},
        "pod_selector": {"match_labels": selector(role)},
    }
