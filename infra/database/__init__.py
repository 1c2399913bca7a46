"""MongoDB Atlas: project, autoscaled cluster, backups, and users that authenticate with certificates."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_mongodbatlas as atlas

from infra.component import Component, Environment
from infra.database.access import DatabaseAccess, DatabaseAccessArgs
from infra.database.alerts import DatabaseAlerts, DatabaseAlertsArgs
from infra.database.backup import DatabaseBackup, DatabaseBackupArgs
from infra.database.encryption import DatabaseKey, DatabaseKeyArgs
from infra.kms import Keys
from infra.network import Network
from infra.settings.platform import DatabaseSettings
from infra.settings.service import ObservabilitySettings
from infra.settings.types import MongoConnection

MEMBERS = 3  # one in each zone of the region: the cluster survives the loss of a zone

# Privileges of the service besides reads and writes: index maintenance and statistics.
INDEX_ACTIONS = ("COLL_MOD", "COLL_STATS", "CREATE_INDEX", "DROP_INDEX", "INDEX_STATS", "LIST_INDEXES")

# Events in Atlas' audit log: sign-ins and changes of users, roles and structure. The service itself logs
# reads and writes.
AUDITED = (
    '{"atype": {"$in": ["authenticate", "createUser", "dropUser", "updateUser", "grantRolesToUser",'
    ' "revokeRolesFromUser", "createRole", "dropRole", "updateRole", "dropDatabase", "dropCollection",'
    ' "dropIndex"]}}'
)


@dataclass(frozen=True, slots=True)
class DatabaseArgs:
    """The environment, the clients' network, the keys, the settings, and the alert recipients."""

    environment: Environment
    network: Network
    keys: Keys
    settings: DatabaseSettings
    observability: ObservabilitySettings


class Database(Component):
    """Atlas project, cluster, access and the service's user.

    `url` is the connection string without credentials; `certificate` the client certificate with its key as
    PEM, a secret; `destination` the addresses for network policies.
    """

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:database:Database", name, opts)
        environment, settings = args.environment, args.settings
        project = atlas.Project(
            name,
            name=f"kingdom-{environment.name}",
            org_id=settings.organization,
            is_data_explorer_enabled=False,  # users' data cannot be browsed in the Atlas console
            is_data_explorer_gen_ai_features_enabled=False,  # no data is sent to a language model
            is_data_explorer_gen_ai_sample_document_passing_enabled=False,  # nor sample documents
            is_performance_advisor_enabled=True,
            is_realtime_performance_panel_enabled=True,
            is_schema_advisor_enabled=True,
            with_default_alerts_settings=True,  # Atlas' default alerts, in addition to those declared here
            tags=environment.label("database"),
            opts=self.child(protect=environment.protect),
        )
        access = DatabaseAccess(
            f"{name}-access",
            DatabaseAccessArgs(environment, args.network, project.id, settings.region, settings.connection),
            self.child(),
        )
        encryption = (
            [DatabaseKey(f"{name}-key", DatabaseKeyArgs(project.id, args.keys), self.child()).ready]
            if settings.customer_key
            else []
        )
        cluster = self._cluster(project, settings, environment, [*access.ready, *encryption])
        DatabaseBackup(
            f"{name}-backup", DatabaseBackupArgs(environment, project.id, cluster, settings), self.child()
        )
        atlas.Auditing(
            name,
            project_id=project.id,
            enabled=True,
            audit_filter=AUDITED,
            audit_authorization_success=False,  # every authorized read would be logged
            opts=self.child(),
        )
        atlas.MaintenanceWindow(
            name,
            project_id=project.id,
            day_of_week=7,
            hour_of_day=3,
            auto_defer_once_enabled=False,
            opts=self.child(),
        )
        DatabaseAlerts(f"{name}-alerts", DatabaseAlertsArgs(project.id, args.observability), self.child())
        credentials = self._user(project, cluster, settings, environment)

        self.destination = access.destination
        self.ready = access.ready
        self.url = cluster.connection_strings.apply(lambda strings: choose(settings.connection, strings))
        self.certificate = pulumi.Output.secret(credentials.current_certificate)
        self.register_outputs({"cluster": cluster.name})

    def _cluster(
        self,
        project: atlas.Project,
        settings: DatabaseSettings,
        environment: Environment,
        after: list[pulumi.Resource],
    ) -> atlas.AdvancedCluster:
        return atlas.AdvancedCluster(
            self.name,
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
                            "electable_specs": {
                                "instance_size": settings.min_size.value,
                                "node_count": MEMBERS,
                                "disk_size_gb": settings.disk_gb,
                            },
                            # Atlas scales the tier and the disk up under load, and the tier down again.
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
            # Without effective fields, the next update would reset the size that autoscaling has set.
            use_effective_fields=True,
            # Snapshots and disks cannot be decrypted without the key, not even by Atlas.
            encryption_at_rest_provider="GCP" if settings.customer_key else "NONE",
            backup_enabled=True,  # snapshots, to restore a dropped collection
            pit_enabled=settings.point_in_time_recovery,  # point-in-time recovery to any second
            retain_backups_enabled=environment.protect,  # backups are retained when the cluster is deleted
            # The cluster cannot be deleted in the console by mistake.
            termination_protection_enabled=environment.protect,
            redact_client_log_data=True,  # Atlas' logs contain no values of queries
            advanced_configuration={
                "minimum_enabled_tls_protocol": "TLS1_2",  # older versions have known vulnerabilities
                "javascript_enabled": False,  # an injected $where cannot run JavaScript on the server
                "default_write_concern": "majority",  # an acknowledged write survives a failover
                "default_max_time_ms": 30_000,  # ms; ends runaway queries
                # A member that was unavailable for a night can still catch up.
                "oplog_min_retention_hours": 24,
            },
            tags=environment.label("database"),
            opts=self.child(protect=environment.protect, depends_on=after),
        )

    def _user(
        self,
        project: atlas.Project,
        cluster: atlas.AdvancedCluster,
        settings: DatabaseSettings,
        environment: Environment,
    ) -> atlas.X509AuthenticationDatabaseUser:
        """Create the service's user, which authenticates with a certificate to a single database."""
        role = atlas.CustomDbRole(
            f"{self.name}-service",
            project_id=project.id,
            role_name="kingdomService",
            actions=[
                {
                    "action": action,
                    "resources": [{"database_name": settings.name, "collection_name": ""}],
                }
                for action in INDEX_ACTIONS
            ],
            # Read and write the documents of one database; no user management and no administration.
            inherited_roles=[{"role_name": "readWrite", "database_name": settings.name}],
            opts=self.child(),
        )
        user = atlas.DatabaseUser(
            f"{self.name}-service",
            project_id=project.id,
            username="CN=kingdom-service",
            auth_database_name="$external",
            x509_type="MANAGED",  # a certificate that expires, instead of a password that does not
            roles=[{"role_name": role.role_name, "database_name": "admin"}],
            scopes=[{"name": cluster.name, "type": "CLUSTER"}],  # no access to clusters that are added later
            labels=[{"key": key, "value": value} for key, value in environment.label("database").items()],
            opts=self.child(),
        )
        return atlas.X509AuthenticationDatabaseUser(
            f"{self.name}-service",
            project_id=project.id,
            username=user.username,
            months_until_expiration=settings.certificate_months,  # limits the use of a stolen certificate
            opts=self.child(additional_secret_outputs=["currentCertificate", "certificates"]),
        )


def choose(connection: MongoConnection, strings: atlas.outputs.AdvancedClusterConnectionStrings) -> str:
    """Return the connection string of one kind; empty if Atlas offers none."""
    match connection:
        case MongoConnection.STANDARD:
            return strings.standard or ""
        case MongoConnection.STANDARD_SRV:
            return strings.standard_srv or ""
        case MongoConnection.PRIVATE:
            endpoints = strings.private_endpoints or []
            return (endpoints[0].srv_connection_string if endpoints else strings.private_srv) or ""
