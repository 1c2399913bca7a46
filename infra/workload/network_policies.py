"""NetworkPolicies of the namespace: default deny, then the connections that are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.networking import v1 as networking

from infra.component import Component, Environment
from infra.database.access import Destination
from infra.edge.address_ranges import LOAD_BALANCERS
from infra.network import GOOGLE_APIS, PRIVATE_RANGES
from infra.settings.roles import PUBLIC, ROLES
from infra.workload.namespace import Namespace, kubernetes_labels, selector
from infra.workload.pods import PORT

METADATA_SERVER = "169.254.169.254/32"  # GKE's metadata server, which issues tokens to pods

ALL_PODS = {"match_labels": {"app.kubernetes.io/part-of": "kingdom"}}
# The monitor reads metrics and writes reports: it connects to Google's APIs only.
SERVICE_PODS = {
    **ALL_PODS,
    "match_expressions": [{"key": "app.kubernetes.io/name", "operator": "In", "values": list(ROLES)}],
}


@dataclass(frozen=True, slots=True)
class NetworkPoliciesArgs:
    """The namespace, and the addresses of the data services."""

    environment: Environment
    namespace: Namespace
    cache_range: pulumi.Input[str]
    cache_ports: Sequence[pulumi.Input[int]]
    database: Destination
    mail_port: int | None = None


class NetworkPolicies(Component):
    """A default-deny policy, and one policy for each allowed kind of connection."""

    def __init__(
        self, name: str, args: NetworkPoliciesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kingdom:workload:Isolation", name, opts)
        specs = {**default_deny(), **ingress(), **egress(args)}
        declare(self, args.environment, args.namespace.metadata_name, specs, args.namespace.ready)
        self.register_outputs({})


def declare(
    owner: Component,
    environment: Environment,
    namespace: str,
    specs: Mapping[str, Any],
    after: Sequence[pulumi.Resource],
) -> list[pulumi.Resource]:
    """Declare the NetworkPolicies `specs` (by name) of a namespace, below `owner`."""
    return [
        networking.NetworkPolicy(
            f"{owner.name}-{name}",
            metadata={"name": name, "namespace": namespace, "labels": kubernetes_labels(environment)},
            spec=spec,
            opts=owner.child(depends_on=after),
        )
        for name, spec in specs.items()
    ]


def default_deny() -> dict[str, Any]:
    """Return the policy that refuses all connections from and to all pods."""
    return {"default-deny": {"pod_selector": {}, "policy_types": ["Ingress", "Egress"]}}


def ingress() -> dict[str, Any]:
    """Return the policies that admit the load balancer to the API and managed Prometheus to all pods."""
    return {
        "from-load-balancer": {
            "pod_selector": {"match_labels": selector(PUBLIC)},
            "policy_types": ["Ingress"],
            "ingress": [
                {
                    "from_": [{"ip_block": {"cidr": cidr}} for cidr in LOAD_BALANCERS],
                    "ports": [{"port": PORT, "protocol": "TCP"}],
                }
            ],
        },
        "from-monitoring": {
            "pod_selector": ALL_PODS,
            "policy_types": ["Ingress"],
            "ingress": [
                {
                    "from_": [
                        {
                            "namespace_selector": {
                                "match_labels": {"kubernetes.io/metadata.name": "gmp-system"}
                            }
                        }
                    ],
                    "ports": [{"port": PORT, "protocol": "TCP"}],
                }
            ],
        },
    }


def egress(args: NetworkPoliciesArgs) -> dict[str, Any]:
    """Return the policies for DNS, Redis, the metadata server, the database, Google's APIs and mail."""
    first, last = args.database.ports
    database: dict[str, Any] = {"cidr": args.database.cidr}
    if args.database.except_:
        database["except_"] = list(args.database.except_)
    # The names of Google's APIs resolve to these addresses (see the network's private zones).
    google = [{"to": [{"ip_block": {"cidr": GOOGLE_APIS}}], "ports": [{"port": 443, "protocol": "TCP"}]}]
    # The public addresses of a mail server can change.
    public = {"ip_block": {"cidr": "0.0.0.0/0", "except_": list(PRIVATE_RANGES)}}
    mail = {"to-mail": opened_to([public], [{"port": args.mail_port, "protocol": "TCP"}], SERVICE_PODS)}
    return {
        **(mail if args.mail_port else {}),
        **to_names(),
        "to-cache": opened_to(
            [{"ip_block": {"cidr": args.cache_range}}],
            [{"port": port, "protocol": "TCP"} for port in args.cache_ports],
            SERVICE_PODS,
        ),
        "to-identity": opened_to(
            [{"ip_block": {"cidr": METADATA_SERVER}}], [{"port": 80, "protocol": "TCP"}]
        ),
        "to-database": opened_to(
            [{"ip_block": database}], [{"port": first, "end_port": last, "protocol": "TCP"}], SERVICE_PODS
        ),
        "to-google": {"pod_selector": ALL_PODS, "policy_types": ["Egress"], "egress": google},
    }


def to_names() -> dict[str, Any]:
    """Return the policy that permits DNS for all pods."""
    ports = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    return {"to-names": opened_to([_dns_pods()], ports)}


def opened_to(peers: list[Any], ports: list[Any], pods: Any = ALL_PODS) -> dict[str, Any]:
    """Return a policy that permits connections of `pods` to ports of these peers."""
    return {
        "pod_selector": pods,
        "policy_types": ["Egress"],
        "egress": [{"to": peers, "ports": ports}],
    }


def _dns_pods() -> dict[str, Any]:
    return {
        "namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": "kube-system"}},
        "pod_selector": {
            "match_expressions": [
                {"key": "k8s-app", "operator": "In", "values": ["kube-dns", "node-local-dns"]}
            ]
        },
    }
