"""The GKE cluster: regional, private, and with one autoscaled pool for each kind of work."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_gcp import container, projects, serviceaccount

from infra.component import Component, Environment
from infra.network import PODS, SERVICES, Network
from infra.platform_settings import ClusterSettings, PoolSettings
from infra.sizing import MAX_PODS_PER_NODE, Nodes, Sizing

# What a node does with its own identity: write logs and metrics, pull images. Nothing else.
NODE_ROLES = {
    "node": "roles/container.defaultNodeServiceAccount",
    "images": "roles/artifactregistry.reader",
}
POOL_LABEL = "kingdom.studio/pool"
ON_DEMAND = "on-demand"
SPOT = "spot"


@dataclass(frozen=True, slots=True)
class ClusterArgs:
    """The environment, the network it stands in, and its settings."""

    environment: Environment
    network: Network
    settings: ClusterSettings
    sizing: Sizing


class Cluster(Component):
    """Control plane, pools, node identity, and the provider that reaches them.

    `provider` waits for the pools, so that whatever is declared with it finds nodes to run on.
    """

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        environment, settings = args.environment, args.settings
        labels = environment.label("cluster")

        nodes = serviceaccount.Account(
            f"{name}-nodes",
            account_id="kingdom-nodes",
            display_name="Nodes of the kingdom cluster",
            opts=self.child(),
        )
        for role, granted in NODE_ROLES.items():
            projects.IAMMember(
                f"{name}-nodes-{role}",
                project=environment.project,
                role=granted,
                member=nodes.member,
                opts=self.child(),
            )
        cluster = container.Cluster(
            name,
            name="kingdom",
            node_locations=list(settings.zones),
            location=environment.region,  # regional: the control plane survives a zone
            network=args.network.network_id,
            subnetwork=args.network.subnetwork_id,
            networking_mode="VPC_NATIVE",
            ip_allocation_policy={
                "cluster_secondary_range_name": PODS,
                "services_secondary_range_name": SERVICES,
            },
            remove_default_node_pool=True,  # the default pool runs as the default, overpowered identity
            initial_node_count=1,
            node_config={
                "service_account": nodes.email,
                "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
                "shielded_instance_config": {"enable_secure_boot": True, "enable_integrity_monitoring": True},
                "workload_metadata_config": {"mode": "GKE_METADATA"},
            },
            private_cluster_config={"enable_private_nodes": True, "enable_private_endpoint": True},
            # Who may reach the control plane is decided by IAM at the DNS endpoint, not by an address list.
            control_plane_endpoints_config={
                "dns_endpoint_config": {"allow_external_traffic": True},
                "ip_endpoints_config": {"enabled": False},
            },
            anonymous_authentication_config={
                "mode": "LIMITED"
            },  # anonymous callers see health endpoints only
            datapath_provider="ADVANCED_DATAPATH",  # Dataplane V2: network policies are enforced, and logged
            enable_shielded_nodes=True,
            enable_legacy_abac=False,
            workload_identity_config={"workload_pool": f"{environment.project}.svc.id.goog"},
            master_auth={"client_certificate_config": {"issue_client_certificate": False}},
            release_channel={"channel": settings.release_channel.value},
            maintenance_policy={
                "recurring_window": {
                    "start_time": settings.maintenance.start,
                    "end_time": settings.maintenance.end,
                    "recurrence": settings.maintenance.recurrence,
                }
            },
            gateway_api_config={"channel": "CHANNEL_STANDARD"},
            secret_manager_config={"enabled": True},
            vertical_pod_autoscaling={"enabled": True},
            pod_autoscaling={"hpa_profile": "PERFORMANCE"},
            cost_management_config={"enabled": True},
            monitoring_config={
                "enable_components": ["SYSTEM_COMPONENTS", "POD", "DEPLOYMENT", "HPA", "CADVISOR", "KUBELET"],
                "managed_prometheus": {"enabled": True},
            },
            logging_config={"enable_components": ["SYSTEM_COMPONENTS", "WORKLOADS"]},
            resource_labels=labels,
            deletion_protection=environment.protect,
            opts=self.child(protect=environment.protect),
        )
        on_demand = self._pool(ON_DEMAND, settings.on_demand, args.sizing.on_demand, cluster, nodes, args)
        spot = self._pool(SPOT, settings.spot, args.sizing.spot, cluster, nodes, args)

        endpoint = cluster.control_plane_endpoints_config.apply(
            lambda config: (
                (config.dns_endpoint_config.endpoint if config and config.dns_endpoint_config else None) or ""
            )
        )
        self.cluster_name = cluster.name
        self.provider = kubernetes.Provider(
            name,
            kubeconfig=endpoint.apply(kubeconfig),
            # Without it a changed kubeconfig reads as another cluster, and everything in it is replaced.
            cluster_identifier=f"{environment.project}/{environment.region}/kingdom",
            opts=self.child(depends_on=[on_demand, spot]),
        )
        self.register_outputs({"name": cluster.name, "endpoint": endpoint})

    def _pool(
        self,
        pool: str,
        settings: PoolSettings,
        size: Nodes,
        cluster: container.Cluster,
        nodes: serviceaccount.Account,
        args: ClusterArgs,
    ) -> container.NodePool:
        spot = pool == SPOT
        environment = args.environment
        return container.NodePool(
            f"{self.name}-{pool}",
            name=pool,
            cluster=cluster.id,
            location=environment.region,
            node_locations=list(args.settings.zones),
            max_pods_per_node=MAX_PODS_PER_NODE,
            initial_node_count=1,
            autoscaling={
                "total_min_node_count": size.least,
                "total_max_node_count": size.most,
                # Spot capacity is wherever it is; on-demand nodes spread, so that a zone can be lost.
                "location_policy": "ANY" if spot else "BALANCED",
            },
            management={"auto_repair": True, "auto_upgrade": True},
            upgrade_settings={"strategy": "SURGE", "max_surge": 1, "max_unavailable": 0},
            network_config={"enable_private_nodes": True},
            node_config={
                "machine_type": settings.machine_type,
                "image_type": "COS_CONTAINERD",
                "boot_disk": {"size_gb": settings.disk_gb, "disk_type": "pd-balanced"},
                "spot": spot,
                "service_account": nodes.email,
                "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
                "shielded_instance_config": {"enable_secure_boot": True, "enable_integrity_monitoring": True},
                "workload_metadata_config": {
                    "mode": "GKE_METADATA"
                },  # pods cannot read the node's credentials
                "metadata": {"disable-legacy-endpoints": "true"},
                "labels": {POOL_LABEL: pool},
                "resource_labels": environment.label("cluster"),
                # Only what tolerates losing its node lands on spot nodes.
                "taints": [{"key": POOL_LABEL, "value": SPOT, "effect": "NO_SCHEDULE"}] if spot else [],
            },
            opts=self.child(),
        )


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
