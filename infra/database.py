"""MongoDB Atlas: the project, an autoscaled cluster, and a user who signs in with a certificate."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_mongodbatlas as atlas

from infra.component import Component, Environment
from infra.network import Network
from infra.platform_settings import DatabaseSettings
from infra.vocabulary import MongoConnection


@dataclass(frozen=True, slots=True)
class DatabaseArgs:
    """The environment, the network whose addresses are let in, and its settings."""

    environment: Environment
    network: Network
    settings: DatabaseSettings


class Database(Component):
    """Atlas project, cluster, access list and the service's user.

    `url` is the connection string without credentials; `certificate` the client certificate with its key
    as PEM, a secret.
    """

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        environment, settings = args.environment, args.settings
        tags = environment.label("database")

        project = atlas.Project(
            name,
            name=f"kingdom-{environment.name}",
            org_id=settings.organization,
            is_data_explorer_enabled=False,  # no browsing of user data from the Atlas console
            with_default_alerts_settings=True,
            tags=tags,
            opts=self.child(protect=environment.protect),
        )
        access = [
            atlas.ProjectIpAccessList(
                f"{name}-egress-{index}",
                project_id=project.id,
                ip_address=address,
                comment=f"Cloud NAT {index} of {environment.name}",
                opts=self.child(),
            )
            for index, address in enumerate(args.network.egress_addresses)
        ]
        cluster = atlas.AdvancedCluster(
            name,
            name="kingdom",
            project_id=project.id,
            cluster_type="REPLICASET",
            mongo_db_major_version=settings.version,
            replication_specs=[
                {
                    "region_configs": [
                        {
                            "provider_name": "GCP",
                            "region_name": settings.region,
                            "priority": 7,
                            # Three members, one in each zone of the region.
                            "electable_specs": {
                                "instance_size": settings.min_size.value,
                                "node_count": 3,
                                "disk_size_gb": settings.disk_gb,
                            },
                            "auto_scaling": {
                                "compute_enabled": True,
                                "compute_scale_down_enabled": True,
                                "compute_min_instance_size": settings.min_size.value,
                                "compute_max_instance_size": settings.max_size.value,
                                "disk_gb_enabled": True,
                            },
                        }
                    ]
                }
            ],
            # Without effective fields the next update would put back the size that autoscaling changed.
            use_effective_fields=True,
            backup_enabled=True,
            pit_enabled=settings.point_in_time_recovery,
            retain_backups_enabled=environment.protect,  # backups outlive a deleted cluster
            termination_protection_enabled=environment.protect,
            advanced_configuration={
                "minimum_enabled_tls_protocol": "TLS1_2",
                "javascript_enabled": False,  # no server-side JavaScript from an injected $where
                "default_write_concern": "majority",  # an acknowledged write survives a failover
            },
            tags=tags,
            opts=self.child(protect=environment.protect),
        )
        user = atlas.DatabaseUser(
            f"{name}-service",
            project_id=project.id,
            username="CN=kingdom-service",
            auth_database_name="$external",
            x509_type="MANAGED",
            roles=[{"role_name": "readWrite", "database_name": settings.name}],
            scopes=[{"name": cluster.name, "type": "CLUSTER"}],
            labels=[{"key": key, "value": value} for key, value in tags.items()],
            opts=self.child(),
        )
        credentials = atlas.X509AuthenticationDatabaseUser(
            f"{name}-service",
            project_id=project.id,
            username=user.username,
            months_until_expiration=settings.certificate_months,
            opts=self.child(additional_secret_outputs=["currentCertificate", "certificates"]),
        )

        self.access = access
        self.url = cluster.connection_strings.apply(lambda strings: _choose(settings.connection, strings))
        self.certificate = pulumi.Output.secret(credentials.current_certificate)
        self.register_outputs({"cluster": cluster.name})


def _choose(connection: MongoConnection, strings: atlas.outputs.AdvancedClusterConnectionStrings) -> str:
    match connection:
        case MongoConnection.STANDARD:
            return strings.standard or ""
        case MongoConnection.STANDARD_SRV:
            return strings.standard_srv or ""
        case MongoConnection.PRIVATE:
            endpoints = strings.private_endpoints or []
            return (endpoints[0].srv_connection_string if endpoints else strings.private_srv) or ""
