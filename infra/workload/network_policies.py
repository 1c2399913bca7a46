"""Who may talk to whom in the namespace: nobody, and then what is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.networking import v1 as networking

from infra.component import Component, Environment
from infra.database.access import Destination
from infra.edge.address_ranges import LOAD_BALANCERS
from infra.network import GOOGLE_APIS
from infra.settings.roles import PUBLIC
from infra.workload.deployment import PORT
from infra.workload.namespace import Namespace, kubernetes_labels, selector

METADATA_SERVER = "169.254.169.254/32"  # where a pod gets its Google identity


@dataclass(frozen=True, slots=True)
class IsolationArgs:
    """The namespace, and where the data services answer."""

    environment: Environment
    namespace: Namespace
    cache_range: pulumi.Input[str]
    cache_port: pulumi.Input[int]
    database: Destination


class Isolation(Component):
    """A default of no traffic at all, and one policy for each way that is open."""

    def __init__(self, name: str, args: IsolationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:workload:Isolation", name, opts)
        everyone = {"match_labels": {"app.kubernetes.io/part-of": "kingdom"}}
        self._args = args
        self._policy("default-deny", {"pod_selector": {}, "policy_types": ["Ingress", "Egress"]})
        self._policy(
            "from-load-balancer",
            {
                "pod_selector": {"match_labels": selector(PUBLIC)},
                "policy_types": ["Ingress"],
                "ingress": [
                    {
                        "from_": [{"ip_block": {"cidr": cidr}} for cidr in LOAD_BALANCERS],
                        "ports": [{"port": PORT, "protocol": "TCP"}],
                    }
                ],
            },
        )
        self._policy(
            "from-monitoring",
            {
                "pod_selector": everyone,
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
        )
        self._policy(
            "to-names",
            {
                "pod_selector": everyone,
                "policy_types": ["Egress"],
                "egress": [
                    {
                        "to": [
                            {
                                "namespace_selector": {
                                    "match_labels": {"kubernetes.io/metadata.name": "kube-system"}
                                },
                                "pod_selector": {
                                    "match_expressions": [
                                        {
                                            "key": "k8s-app",
                                            "operator": "In",
                                            "values": ["kube-dns", "node-local-dns"],
                                        }
                                    ]
                                },
                            }
                        ],
                        "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
                    }
                ],
            },
        )
        self._policy(
            "to-cache",
            {
                "pod_selector": everyone,
                "policy_types": ["Egress"],
                "egress": [
                    {
                        "to": [{"ip_block": {"cidr": args.cache_range}}],
                        "ports": [{"port": args.cache_port, "protocol": "TCP"}],
                    }
                ],
            },
        )
        self._policy(
            "to-identity",
            {
                "pod_selector": everyone,
                "policy_types": ["Egress"],
                "egress": [
                    {
                        "to": [{"ip_block": {"cidr": METADATA_SERVER}}],
                        "ports": [{"port": 80, "protocol": "TCP"}],
                    }
                ],
            },
        )
        first, last = args.database.ports
        self._policy(
            "to-database",
            {
                "pod_selector": everyone,
                "policy_types": ["Egress"],
                "egress": [
                    {
                        "to": [
                            {
                                "ip_block": {
                                    "cidr": args.database.cidr,
                                    **(
                                        {"except_": list(args.database.except_)}
                                        if args.database.except_
                                        else {}
                                    ),
                                }
                            }
                        ],
                        "ports": [{"port": first, "end_port": last, "protocol": "TCP"}],
                    }
                ],
            },
        )
        self._policy(
            "to-google",
            {
                "pod_selector": everyone,
                "policy_types": ["Egress"],
                # The names of Google's APIs lead to these addresses (see the network's private zones).
                "egress": [
                    {"to": [{"ip_block": {"cidr": GOOGLE_APIS}}], "ports": [{"port": 443, "protocol": "TCP"}]}
                ],
            },
        )
        self.register_outputs({})

    def _policy(self, name: str, spec: Any) -> None:
        networking.NetworkPolicy(
            f"{self.name}-{name}",
            metadata={
                "name": name,
                "namespace": self._args.namespace.metadata_name,
                "labels": kubernetes_labels(self._args.environment),
            },
            spec=spec,
            opts=self.child(depends_on=self._args.namespace.ready),
        )
