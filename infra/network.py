"""The VPC: private nodes, egress through Cloud NAT, and private access to Google's managed services."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute, dns, servicenetworking

from infra.component import Component, Environment
from infra.settings.platform import NetworkSettings

PODS = "pods"
SERVICES = "services"

# Google's APIs at addresses that are reachable from private networks only; pods may connect to these and to
# no others. https://cloud.google.com/vpc/docs/configure-private-google-access
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

    `network_id` and `subnetwork_id` are links for other resources; `egress_addresses` are the public source
    addresses; `private_services` is the range of managed services' addresses, as CIDR.
    """

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:network:Network", name, opts)
        environment, settings = args.environment, args.settings

        network = compute.Network(
            name,
            name="kingdom",
            auto_create_subnetworks=False,  # a subnet in every region would use unplanned addresses
            delete_default_routes_on_create=False,  # NAT requires the default route
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
            private_ip_google_access=True,  # nodes reach Google's APIs without NAT
            # Flow logs are needed to investigate an intrusion.
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
        # Static, so that Atlas can allow exactly these. Private nodes cannot pull images without NAT.
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
        reserved, peering = self._private_services(network, args)
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
            nat_ip_allocate_option="MANUAL_ONLY",  # only addresses that are in the allow lists of others
            nat_ips=[address.self_link for address in addresses],
            # A new subnet has no egress until it is listed here.
            source_subnetwork_ip_ranges_to_nat="LIST_OF_SUBNETWORKS",
            subnetworks=[{"name": subnetwork.id, "source_ip_ranges_to_nats": ["ALL_IP_RANGES"]}],
            # Pods of a full node would exhaust the default 64 ports and drop connections.
            enable_dynamic_port_allocation=True,
            enable_endpoint_independent_mapping=False,  # not available together with dynamic ports
            min_ports_per_vm=256,
            max_ports_per_vm=8192,
            log_config={"enable": True, "filter": "ERRORS_ONLY"},  # dropped connections are logged
            opts=self.child(),
        )

    def _private_services(
        self, network: compute.Network, args: NetworkArgs
    ) -> tuple[compute.GlobalAddress, servicenetworking.Connection]:
        """Create the address range of managed services, and the peering with their network."""
        reserved = compute.GlobalAddress(
            f"{self.name}-services",
            name="kingdom-managed-services",
            purpose="VPC_PEERING",
            address_type="INTERNAL",
            prefix_length=args.settings.private_services_prefix,
            network=network.id,
            labels=args.environment.label("network"),
            opts=self.child(),
        )
        peering = servicenetworking.Connection(
            f"{self.name}-services",
            network=network.id,
            service="servicenetworking.googleapis.com",
            reserved_peering_ranges=[reserved.name],
            # Google retains the peering while it holds an instance's address, longer than a destroy waits
            # (terraform-provider-google#16275). The peering is deleted with the network.
            deletion_policy="ABANDON",
            opts=self.child(),
        )
        return reserved, peering

    def _guards(self, network: compute.Network) -> None:
        """Deny and log ingress that no other rule allows, and log DNS queries."""
        compute.Firewall(
            f"{self.name}-deny",
            name="kingdom-deny-ingress",
            network=network.id,
            direction="INGRESS",
            priority=65_534,
            source_ranges=["0.0.0.0/0"],
            denies=[{"protocol": "all"}],  # GKE creates the rules that its load balancer needs
            # The implied rule denies as well, but does not log; this rule logs the attempts.
            log_config={"metadata": "INCLUDE_ALL_METADATA"},
            opts=self.child(),
        )
        dns.Policy(
            self.name,
            name="kingdom",
            enable_logging=True,  # DNS queries often show data exfiltration first
            networks=[{"network_url": network.id}],
            opts=self.child(),
        )

    def _private_zone(
        self, zone: str, domain: str, network: compute.Network, environment: Environment
    ) -> None:
        """Create a private zone that resolves a domain of Google's to private addresses."""
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
