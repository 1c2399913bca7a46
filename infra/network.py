"""The VPC: private nodes, one way out with known addresses, a private way to Google's managed services."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute, dns, servicenetworking

from infra.component import Component, Environment
from infra.settings.platform import NetworkSettings

PODS = "pods"
SERVICES = "services"

# Google's APIs at addresses that only private networks reach: pods may talk to these four and to no others.
# https://cloud.google.com/vpc/docs/configure-private-google-access
GOOGLE_APIS = "199.36.153.8/30"
GOOGLE_ADDRESSES = tuple(f"199.36.153.{host}" for host in range(8, 12))
PRIVATE_RANGES = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")
GOOGLE_DOMAINS = {"apis": "googleapis.com.", "images": "pkg.dev.", "containers": "gcr.io."}


@dataclass(frozen=True, slots=True)
class NetworkArgs:
    """The environment and its address plan."""

    environment: Environment
    settings: NetworkSettings


class Network(Component):
    """VPC, subnet with ranges for pods and services, Cloud NAT, and private service access.

    `network_id` and `subnetwork_id` are links for other resources, `egress_addresses` what outsiders see,
    `private_services` the range that managed services get their addresses from, as CIDR.
    """

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:network:Network", name, opts)
        environment, settings = args.environment, args.settings

        network = compute.Network(
            name,
            name="kingdom",
            auto_create_subnetworks=False,  # a subnet in every region would be unplanned address space
            delete_default_routes_on_create=False,  # NAT leaves through the default route
            routing_mode="REGIONAL",
            opts=self.child(),
        )
        subnetwork = compute.Subnetwork(
            f"{name}-nodes",
            name="kingdom-nodes",
            network=network.id,
            region=environment.region,
            ip_cidr_range=settings.nodes,
            secondary_ip_ranges=[
                {"range_name": PODS, "ip_cidr_range": settings.pods},
                {"range_name": SERVICES, "ip_cidr_range": settings.services},
            ],
            private_ip_google_access=True,  # nodes reach Google's APIs without leaving through NAT
            # Flow logs are what an investigation after an intrusion starts from.
            log_config={
                "aggregation_interval": "INTERVAL_10_MIN",
                "flow_sampling": 0.5,
                "metadata": "INCLUDE_ALL_METADATA",
            },
            opts=self.child(),
        )
        router = compute.Router(
            f"{name}-router", name="kingdom", network=network.id, region=environment.region, opts=self.child()
        )
        # Static, so that Atlas can allow exactly these. Without NAT private nodes cannot pull images.
        addresses = [
            compute.Address(
                f"{name}-nat-{index}",
                name=f"kingdom-nat-{index}",
                region=environment.region,
                address_type="EXTERNAL",
                labels=environment.label("network"),
                opts=self.child(),
            )
            for index in range(settings.nat_addresses)
        ]
        self._nat(router, addresses, subnetwork, environment)
        reserved = compute.GlobalAddress(
            f"{name}-services",
            name="kingdom-managed-services",
            purpose="VPC_PEERING",
            address_type="INTERNAL",
            prefix_length=settings.private_services_prefix,
            network=network.id,
            labels=environment.label("network"),
            opts=self.child(),
        )
        peering = servicenetworking.Connection(
            f"{name}-services",
            network=network.id,
            service="servicenetworking.googleapis.com",
            reserved_peering_ranges=[reserved.name],
            # Google keeps the peering while it still holds an instance's address, which is longer than a
            # destroy waits (terraform-provider-google#16275). It ends with the network.
            deletion_policy="ABANDON",
            opts=self.child(),
        )

        self._guards(network)
        for zone, domain in GOOGLE_DOMAINS.items():
            self._private_zone(zone, domain, network, environment)

        self.network_id = network.id
        self.subnetwork_id = subnetwork.id
        self.egress_addresses = [address.address for address in addresses]
        self.private_services = pulumi.Output.format("{0}/{1}", reserved.address, reserved.prefix_length)
        self.peering = peering
        self.register_outputs({"networkId": self.network_id, "egressAddresses": self.egress_addresses})

    def _nat(
        self,
        router: compute.Router,
        addresses: list[compute.Address],
        subnetwork: compute.Subnetwork,
        environment: Environment,
    ) -> None:
        """Create the NAT gateway of the nodes' subnetwork, with static addresses."""
        compute.RouterNat(
            f"{self.name}-nat",
            name="kingdom",
            router=router.name,
            region=environment.region,
            nat_ip_allocate_option="MANUAL_ONLY",  # only addresses that others' allow lists contain
            nat_ips=[address.self_link for address in addresses],
            source_subnetwork_ip_ranges_to_nat="LIST_OF_SUBNETWORKS",  # a new subnet has no way out unasked
            subnetworks=[{"name": subnetwork.id, "source_ip_ranges_to_nats": ["ALL_IP_RANGES"]}],
            # A node full of pods that call out runs out of the default 64 ports and drops connections.
            enable_dynamic_port_allocation=True,
            enable_endpoint_independent_mapping=False,  # cannot be had together with dynamic ports
            min_ports_per_vm=256,
            max_ports_per_vm=8192,
            log_config={"enable": True, "filter": "ERRORS_ONLY"},  # a dropped connection is not a riddle
            opts=self.child(),
        )

    def _guards(self, network: compute.Network) -> None:
        """Deny and log ingress that no other rule allows, and log DNS queries."""
        compute.Firewall(
            f"{self.name}-deny",
            name="kingdom-deny-ingress",
            network=network.id,
            direction="INGRESS",
            priority=65_534,
            source_ranges=["0.0.0.0/0"],
            denies=[{"protocol": "all"}],  # GKE opens what its balancer needs, and nothing else is open
            # The implied rule denies as well, but silently: this rule logs the attempts.
            log_config={"metadata": "INCLUDE_ALL_METADATA"},
            opts=self.child(),
        )
        dns.Policy(
            self.name,
            name="kingdom",
            enable_logging=True,  # a lookup is often the first trace of exfiltration
            networks=[{"network_url": network.id}],
            opts=self.child(),
        )

    def _private_zone(
        self, zone: str, domain: str, network: compute.Network, environment: Environment
    ) -> None:
        """Create a private zone that resolves a domain of Google's to its private addresses."""
        managed = dns.ManagedZone(
            f"{self.name}-{zone}",
            name=f"kingdom-{zone}",
            dns_name=domain,
            description="Google's APIs at their private addresses",
            visibility="private",
            private_visibility_config={"networks": [{"network_url": network.id}]},
            labels=environment.label("network"),
            opts=self.child(),
        )
        for kind, record in (("all", f"*.{domain}"), ("apex", domain)):
            dns.RecordSet(
                f"{self.name}-{zone}-{kind}",
                managed_zone=managed.name,
                name=record,
                type="A",
                ttl=300,
                rrdatas=list(GOOGLE_ADDRESSES),
                opts=self.child(),
            )
