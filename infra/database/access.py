"""The ways to the database: a private endpoint in our own network, or exactly our own egress addresses."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_mongodbatlas as atlas
from pulumi_gcp import compute

from infra.component import Component, Environment
from infra.network import PRIVATE_RANGES, Network
from infra.settings.types import MongoConnection

# A port of the endpoint is a member of the cluster: Atlas maps up to 150 of them from 1024 upwards.
ENDPOINT_PORTS = (1024, 65_535)
PUBLIC_PORTS = (27_015, 27_017)


@dataclass(frozen=True, slots=True)
class Destination:
    """The database's addresses for a network policy: range, exceptions, first and last port."""

    cidr: pulumi.Input[str]
    except_: tuple[str, ...]
    ports: tuple[int, int]


@dataclass(frozen=True, slots=True)
class DatabaseAccessArgs:
    """The environment, its network, the Atlas project, and which way the service takes."""

    environment: Environment
    network: Network
    project: pulumi.Input[str]
    region: str
    connection: MongoConnection


class DatabaseAccess(Component):
    """Private endpoint for `private`, an access list for the others.

    `destination` is where pods go, `ready` what must be there before the cluster's strings are complete.
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
        """Private Service Connect with mapped ports: one address and one rule, whatever the cluster's size.

        The project has no access list then: the database cannot be reached from the internet.
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
            load_balancing_scheme="",  # an endpoint, not a balancer
            recreate_closed_psc=True,  # a connection that Atlas closed is opened again by the next update
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
