"""Network access to Atlas: a private endpoint in the VPC, or an access list of the NAT addresses."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_mongodbatlas as atlas
from pulumi_gcp import compute

from infra.component import Component, Environment
from infra.network import PRIVATE_RANGES, Network
from infra.settings.types import MongoConnection

# Each member of the cluster has a port at the endpoint: Atlas maps up to 150 ports from 1024 on.
ENDPOINT_PORTS = (1024, 65_535)
PUBLIC_PORTS = (27_015, 27_017)


@dataclass(frozen=True, slots=True)
class Destination:
    """Addresses of the database for a network policy: CIDR range, exceptions, first and last port."""

    cidr: pulumi.Input[str]
    except_: tuple[str, ...]
    ports: tuple[int, int]


@dataclass(frozen=True, slots=True)
class DatabaseAccessArgs:
    """The environment, its network, the Atlas project, and the kind of connection."""

    environment: Environment
    network: Network
    project: pulumi.Input[str]
    region: str
    connection: MongoConnection


class DatabaseAccess(Component):
    """A private endpoint for `private`, an access list for the other kinds of connection.

    `destination` are the addresses that pods connect to; `ready` are the resources that the cluster's
    connection strings depend on.
    """

    def __init__(
        self, name: str, args: DatabaseAccessArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kingdom:database:DatabaseAccess", name, opts)
        self.ready: list[pulumi.Resource]
        match args.connection:
            case MongoConnection.PRIVATE:
                self.destination, self.ready = self._endpoint(args)
            case MongoConnection.STANDARD | MongoConnection.STANDARD_SRV:
                self.destination, self.ready = self._allow_list(args)
        self.register_outputs({})

    def _endpoint(self, args: DatabaseAccessArgs) -> tuple[Destination, list[pulumi.Resource]]:
        """Create Private Service Connect with mapped ports: one address and one rule for any cluster size.

        The project has no access list then, so the database is not reachable from the internet.
        """
        environment, network = args.environment, args.network
        link = atlas.PrivateLinkEndpoint(
            self.name,
            project_id=args.project,
            provider_name="GCP",
            region=args.region,
            port_mapping_enabled=True,
            opts=self.child(),
        )
        address = compute.Address(
            self.name,
            name="kingdom-database",
            region=environment.region,
            address_type="INTERNAL",
            subnetwork=network.subnetwork_id,
            labels=environment.label("database"),
            opts=self.child(),
        )
        rule = compute.ForwardingRule(
            self.name,
            name="kingdom-database",
            region=environment.region,
            network=network.network_id,
            ip_address=address.id,
            target=link.service_attachment_names[0],
            load_balancing_scheme="",  # an endpoint, not a load balancer
            recreate_closed_psc=True,  # the next update reopens a connection that Atlas has closed
            labels=environment.label("database"),
            opts=self.child(),
        )
        service = atlas.PrivateLinkEndpointService(
            self.name,
            project_id=args.project,
            private_link_id=link.private_link_id,
            provider_name="GCP",
            endpoint_service_id=rule.name,
            private_endpoint_ip_address=address.address,
            gcp_project_id=environment.project,
            opts=self.child(),
        )
        cidr = pulumi.Output.concat(address.address, "/32")
        return Destination(cidr, (), ENDPOINT_PORTS), [service]

    def _allow_list(self, args: DatabaseAccessArgs) -> tuple[Destination, list[pulumi.Resource]]:
        entries: list[pulumi.Resource] = [
            atlas.ProjectIpAccessList(
                f"{self.name}-egress-{index}",
                project_id=args.project,
                ip_address=address,
                comment=f"Cloud NAT {index} of {args.environment.name}",
                opts=self.child(),
            )
            for index, address in enumerate(args.network.egress_addresses)
        ]
        return Destination("0.0.0.0/0", PRIVATE_RANGES, PUBLIC_PORTS), entries
