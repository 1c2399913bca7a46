"""The GKE cluster: regional, private, with autoscaled node pools for on-demand and Spot capacity."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_gcp import binaryauthorization, container, pubsub

from infra.component import Component, Environment
from infra.kms import Keys, Use
from infra.network import PODS, SERVICES, Network
from infra.node_pools import NodeIdentity, NodeIdentityArgs, Pool, PoolArgs, node_config
from infra.settings.platform import ClusterSettings
from infra.settings.roles import NodePoolKind
from infra.settings.sizing import MAX_PODS_PER_NODE, Sizing

# A minor version: GKE resolves it to the latest patch that the release channel offers. An exact patch leaves
# the channel after some weeks, and then no cluster can be created (terraform-google-kubernetes-engine#2177).
# Every patch of it has STRONG_COOKIE_AFFINITY, which came with 1.36.3-gke.1767000.
MINIMUM_VERSION = "1.37"


@dataclass(frozen=True, slots=True)
class ClusterArgs:
    """The environment, the network, the keys, and the settings of the cluster."""

    environment: Environment
    network: Network
    keys: Keys
    settings: ClusterSettings
    sizing: Sizing
    images: str


class Cluster(Component):
    """Control plane, node pools, node identity, and the Kubernetes provider of the cluster.

    `provider` depends on the pools, so resources that use it are created when nodes exist.
    """

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:cluster:Cluster", name, opts)
        environment, settings = args.environment, args.settings
        identity = NodeIdentity(f"{name}-nodes", NodeIdentityArgs(environment), self.child())
        admission = self._admission(args.images)
        notices = pubsub.Topic(
            f"{name}-notices",
            name="kingdom-cluster-notices",
            labels=environment.label("cluster"),
            kms_key_name=args.keys.ids[Use.NOTICES],
            message_storage_policy={"allowed_persistence_regions": [environment.region]},
            opts=self.child(depends_on=args.keys.ready[Use.NOTICES]),
        )
        cluster = container.Cluster(
            name,
            name="kingdom",
            location=environment.region,  # regional: the control plane survives the loss of a zone
            node_locations=list(settings.zones),
            **network_arguments(args),
            **access_arguments(args),
            **node_arguments(identity.email),
            **protection_arguments(args),
            **upgrade_arguments(settings, notices.id),
            **feature_arguments(),
            **monitoring_arguments(),
            resource_labels=environment.label("cluster"),
            deletion_protection=environment.protect,
            opts=self.child(
                protect=environment.protect,
                depends_on=[*identity.grants, *args.keys.ready[Use.CLUSTER], admission],
                # It describes the deleted default pool: the provider reads back the configuration of the
                # first existing pool, and would replace the cluster (terraform-provider-google#1889).
                ignore_changes=["nodeConfig"],
            ),
        )
        pools = self._pools(args, cluster, identity)
        endpoint = cluster.control_plane_endpoints_config.apply(
            lambda config: (
                (config.dns_endpoint_config.endpoint if config and config.dns_endpoint_config else None) or ""
            )
        )
        self.cluster_id = cluster.id
        self.nodes = identity
        self.cluster_name = cluster.name
        self.provider = kubernetes.Provider(
            name,
            kubeconfig=endpoint.apply(kubeconfig),
            # Without it, a changed kubeconfig is treated as another cluster and every resource in it is
            # replaced.
            cluster_identifier=f"{environment.project}/{environment.region}/kingdom",
            # Delete-before-replace of a ConfigMap would make it unavailable for a moment, and pods that start
            # then would fail.
            enable_config_map_mutable=True,
            opts=self.child(depends_on=[pool.pool for pool in pools]),
        )
        self.register_outputs({"name": cluster.name, "endpoint": endpoint})

    def _pools(self, args: ClusterArgs, cluster: container.Cluster, identity: NodeIdentity) -> list[Pool]:
        """Create the on-demand pool and the Spot pool."""
        environment, settings = args.environment, args.settings
        return [
            Pool(
                f"{self.name}-{kind.value}",
                PoolArgs(environment, cluster.id, identity, args.keys, pool, settings.zones, size, kind),
                self.child(),
            )
            for kind, pool, size in (
                (NodePoolKind.ON_DEMAND, settings.on_demand, args.sizing.on_demand),
                (NodePoolKind.SPOT, settings.spot, args.sizing.spot),
            )
        ]

    def _admission(self, images: str) -> binaryauthorization.Policy:
        """Admit images from the platform's registry and Google's system images only."""
        return binaryauthorization.Policy(
            f"{self.name}-admission",
            description="Images come from the platform's own registry",
            global_policy_evaluation_mode="ENABLE",  # without it, GKE's own pods would be rejected
            admission_whitelist_patterns=[{"name_pattern": f"{images}/*"}],
            # An image from another registry cannot run, not even with stolen deployer credentials.
            default_admission_rule={
                "evaluation_mode": "ALWAYS_DENY",
                "enforcement_mode": "ENFORCED_BLOCK_AND_AUDIT_LOG",
            },
            opts=self.child(),
        )


def network_arguments(args: ClusterArgs) -> dict[str, Any]:
    """Return the network, the control plane's endpoints and the data plane."""
    return {
        "network": args.network.network_id,
        "subnetwork": args.network.subnetwork_id,
        # Pods have addresses of the VPC, so flow logs and firewall policies include them.
        "networking_mode": "VPC_NATIVE",
        "ip_allocation_policy": {
            "cluster_secondary_range_name": PODS,
            "services_secondary_range_name": SERVICES,
        },
        "default_max_pods_per_node": MAX_PODS_PER_NODE,
        # Neither nodes nor the control plane have an address on the internet.
        "private_cluster_config": {"enable_private_nodes": True, "enable_private_endpoint": True},
        "control_plane_endpoints_config": {
            # Access to the control plane is controlled by IAM at the DNS endpoint, not by source address;
            # certificates and tokens issued inside the cluster do not work there.
            "dns_endpoint_config": {
                "allow_external_traffic": True,
                "enable_k8s_certs_via_dns": False,
                "enable_k8s_tokens_via_dns": False,
            },
            "ip_endpoints_config": {"enabled": False},  # the control plane has no IP endpoint
        },
        "datapath_provider": "ADVANCED_DATAPATH",  # Dataplane V2: enforces and logs network policies
        # Traffic between nodes is encrypted for every protocol of the pods.
        "in_transit_encryption_config": "IN_TRANSIT_ENCRYPTION_INTER_NODE_TRANSPARENT",
        "enable_intranode_visibility": True,  # flow logs include traffic between pods of one node
        "enable_l4_ilb_subsetting": True,
        "service_external_ips_config": {
            "enabled": False
        },  # a Service cannot intercept the traffic of others: CVE-2020-8554
    }


def access_arguments(args: ClusterArgs) -> dict[str, Any]:
    """Return the access configuration of the API server: workload identity, groups, no legacy methods."""
    return {
        "workload_identity_config": {"workload_pool": f"{args.environment.project}.svc.id.goog"},
        # Unauthenticated callers can reach health endpoints only.
        "anonymous_authentication_config": {"mode": "LIMITED"},
        "rbac_binding_config": {
            # Bindings to `system:authenticated` and `system:unauthenticated` are rejected.
            "enable_insecure_binding_system_unauthenticated": False,
            "enable_insecure_binding_system_authenticated": False,
        },
        # Roles are bound to groups: a user who leaves a group loses its access.
        "authenticator_groups_config": {"security_group": args.settings.security_group},
        "enable_legacy_abac": False,  # ABAC permissions are not visible in RBAC
        "master_auth": {
            "client_certificate_config": {"issue_client_certificate": False}
        },  # client certificates cannot be revoked
    }


def node_arguments(email: pulumi.Input[str]) -> dict[str, Any]:
    """Return the settings that apply to nodes of all pools; the declared pools replace the default pool."""
    return {
        # The default pool uses the default service account, which has broad permissions.
        "remove_default_node_pool": True,
        "initial_node_count": 1,
        "node_config": node_config(email),
        # For pools that are created outside Pulumi. `node_pool_auto_config` covers auto-provisioned pools
        # only.
        "node_pool_defaults": {
            "node_config_defaults": {"insecure_kubelet_readonly_port_enabled": "FALSE"},
        },
        "enable_shielded_nodes": True,  # a node attests its identity before it joins the cluster
    }


def protection_arguments(args: ClusterArgs) -> dict[str, Any]:
    """Return the encryption of etcd, the admission of images and the security posture."""
    return {
        # Secrets in a backup of etcd are encrypted with this key.
        "database_encryption": {"state": "ENCRYPTED", "key_name": args.keys.ids[Use.CLUSTER]},
        # Images of other registries are rejected: see `_admission`.
        "binary_authorization": {"evaluation_mode": "PROJECT_SINGLETON_POLICY_ENFORCE"},
        # Insecure workloads are reported. GKE removed its scan of running images (VULNERABILITY_BASIC) on
        # 2025-07-31; Artifact Registry scans images when they are pushed.
        "security_posture_config": {"mode": "BASIC"},
    }


def upgrade_arguments(settings: ClusterSettings, topic: pulumi.Input[str]) -> dict[str, Any]:
    """Return the release channel, the maintenance window and the topic of upgrade notifications."""
    return {
        "min_master_version": MINIMUM_VERSION,
        "release_channel": {
            "channel": settings.release_channel.value
        },  # versions outside a channel get no security patches
        # Patches are installed at once, minor versions in the maintenance window.
        "gke_auto_upgrade_config": {"patch_mode": "ACCELERATED"},
        "maintenance_policy": {
            "recurring_window": {
                "start_time": settings.maintenance.start,
                "end_time": settings.maintenance.end,
                "recurrence": settings.maintenance.recurrence,
            }
        },
        # Security bulletins and upgrade events are published to the topic.
        "notification_config": {"pubsub": {"enabled": True, "topic": topic}},
    }


def feature_arguments() -> dict[str, Any]:
    """Return the add-ons and autoscaling features of the cluster."""
    return {
        "gateway_api_config": {"channel": "CHANNEL_STANDARD"},
        # Secrets are mounted as files, at the version that was deployed.
        "secret_manager_config": {"enabled": True, "rotation_config": {"enabled": False}},
        "vertical_pod_autoscaling": {"enabled": True},
        "pod_autoscaling": {"hpa_profile": "PERFORMANCE"},
        "cluster_autoscaling": {"enabled": False, "autoscaling_profile": "OPTIMIZE_UTILIZATION"},
        "cost_management_config": {"enabled": True},  # costs are reported by namespace
        "addons_config": {
            "http_load_balancing": {"disabled": False},
            "horizontal_pod_autoscaling": {"disabled": False},
            "gke_backup_agent_config": {"enabled": True},  # Backup for GKE requires the agent
            # Node-local cache: a burst of lookups does not overload kube-dns.
            "dns_cache_config": {"enabled": True},
            "gce_persistent_disk_csi_driver_config": {"enabled": True},
        },
    }


def monitoring_arguments() -> dict[str, Any]:
    """Return the components whose metrics and logs are collected."""
    return {
        "monitoring_config": {
            # Control plane metrics too: they show a slow API server or scheduler before requests fail.
            "enable_components": [
                "SYSTEM_COMPONENTS",
                "APISERVER",
                "CONTROLLER_MANAGER",
                "SCHEDULER",
                "STORAGE",
                "POD",
                "DEPLOYMENT",
                "HPA",
                "CADVISOR",
                "KUBELET",
            ],
            "managed_prometheus": {"enabled": True},
            # Refused connections are counted; the relay would add a listener to the cluster.
            "advanced_datapath_observability_config": {"enable_metrics": True, "enable_relay": False},
        },
        "logging_config": {
            # The API server's log is needed to investigate an intrusion.
            "enable_components": [
                "SYSTEM_COMPONENTS",
                "WORKLOADS",
                "APISERVER",
                "CONTROLLER_MANAGER",
                "SCHEDULER",
            ]
        },
    }


def kubeconfig(endpoint: str) -> str:
    """Client configuration for a cluster's DNS endpoint, as JSON; the caller's identity is the credential.

    The endpoint has a publicly trusted certificate, so no authority is named.
    """
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "kingdom", "cluster": {"server": f"https://{endpoint}"}}],
            "contexts": [{"name": "kingdom", "context": {"cluster": "kingdom", "user": "google"}}],
            "current-context": "kingdom",
            "users": [
                {
                    "name": "google",
                    "user": {
                        "exec": {
                            "apiVersion": "client.authentication.k8s.io/v1beta1",
                            "command": "gke-gcloud-auth-plugin",
                            "interactiveMode": "Never",
                            "provideClusterInfo": True,
                        }
                    },
                }
            ],
        }
    )
