"""Node pools and the identity of their nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_gcp import container, projects, serviceaccount

from infra.component import Component, Environment
from infra.kms import Keys, Use
from infra.settings.platform import PoolSettings
from infra.settings.roles import NodePoolKind
from infra.settings.sizing import MAX_PODS_PER_NODE
from infra.settings.sizing import Nodes as Size

# Roles of the nodes' own identity: write logs and metrics. Images: see `infra/delivery/__init__.py`.
NODE_ROLES = {"node": "roles/container.defaultNodeServiceAccount"}
POOL_LABEL = "kingdom.studio/pool"


@dataclass(frozen=True, slots=True)
class NodeIdentityArgs:
    """The environment."""

    environment: Environment


class NodeIdentity(Component):
    """Service account of the nodes.

    `account` is its full name, `email` its address; `grants` precede nodes.
    """

    def __init__(self, name: str, args: NodeIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:node_pools:NodeIdentity", name, opts)
        account = serviceaccount.Account(
            name,
            account_id="kingdom-nodes",
            display_name="Nodes of the kingdom cluster",
            opts=self.child(),
        )
        self.account = account.name
        self.member = account.member
        self.email = account.email
        self.grants = [
            projects.IAMMember(
                f"{name}-{role}",
                project=args.environment.project,
                role=granted,
                member=account.member,
                opts=self.child(),
            )
            for role, granted in NODE_ROLES.items()
        ]
        self.register_outputs({"email": self.email})


@dataclass(frozen=True, slots=True)
class PoolArgs:
    """The cluster's id, the identity of its nodes, the disks' key, and the kind and number of nodes."""

    environment: Environment
    cluster: pulumi.Input[str]
    identity: NodeIdentity
    keys: Keys
    settings: PoolSettings
    zones: tuple[str, ...]
    size: Size
    kind: NodePoolKind


class Pool(Component):
    """One autoscaled node pool of a kind. `pool` is the resource that dependents wait for."""

    def __init__(self, name: str, args: PoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:node_pools:Pool", name, opts)
        kind, spot = args.kind.value, args.kind is NodePoolKind.SPOT
        labels = args.environment.label("cluster")
        self.pool = container.NodePool(
            name,
            name=kind,
            cluster=args.cluster,
            location=args.environment.region,
            node_locations=list(args.zones),
            max_pods_per_node=MAX_PODS_PER_NODE,
            initial_node_count=min(args.size.minimum, 1),
            autoscaling={
                "total_min_node_count": args.size.minimum,
                "total_max_node_count": args.size.maximum,
                # Spot nodes use any zone with capacity; on-demand nodes are balanced, so that the loss of a
                # zone is survived.
                "location_policy": "BALANCED" if args.kind is NodePoolKind.ON_DEMAND else "ANY",
            },
            management={
                "auto_repair": True,  # a node that stops reporting is replaced automatically
                "auto_upgrade": True,  # the kubelet and the kernel get security patches
            },
            # Surge upgrade: one extra node, none unavailable, so that an upgrade reduces no capacity.
            upgrade_settings={"strategy": "SURGE", "max_surge": 1, "max_unavailable": 0},
            network_config={"enable_private_nodes": True},  # nodes have no public address
            node_config={
                **node_config(args.identity.email),
                "machine_type": args.settings.machine_type,
                "boot_disk": {"size_gb": args.settings.disk_gb, "disk_type": "pd-balanced"},
                # Data that pods wrote on a node needs this key too, not only access to the project's disks.
                "boot_disk_kms_key": args.keys.ids[Use.DISKS],
                "spot": spot,
                "gvnic": {"enabled": True},
                # Image streaming: pods of a new node start before the pull ends.
                "gcfs_config": {"enabled": True},
                "labels": {POOL_LABEL: kind},
                "resource_labels": labels,
                "tags": ["kingdom-nodes"],
                # Only pods that tolerate eviction run on Spot nodes, and only load tests on their pool.
                "taints": taints(args.kind),
            },
            opts=self.child(
                depends_on=[*args.identity.grants, *args.keys.ready[Use.DISKS]],
                # GKE reports changes of the autoscaler as drift.
                ignore_changes=["initialNodeCount"],
            ),
        )
        self.register_outputs({})


def taints(kind: NodePoolKind) -> list[Any]:
    """Return the taint that only matching pods tolerate; none for the on-demand pool."""
    if kind is NodePoolKind.ON_DEMAND:
        return []
    return [{"key": POOL_LABEL, "value": kind.value, "effect": "NO_SCHEDULE"}]


def node_config(email: pulumi.Input[str]) -> Any:
    """Return the configuration of every node, including the temporary default pool."""
    return {
        "service_account": email,
        "image_type": "COS_CONTAINERD",  # read-only, signed, updated automatically, no package manager
        # The scope is wide so that IAM alone limits access: the account has only the roles above.
        "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
        # Secure boot: a modified boot loader or kernel module does not start, and attestation fails.
        "shielded_instance_config": {"enable_secure_boot": True, "enable_integrity_monitoring": True},
        # Pods use GKE's metadata server and cannot read the node's credentials.
        "workload_metadata_config": {"mode": "GKE_METADATA"},
        # Legacy endpoints do not require the header that prevents request forgery.
        "metadata": {"disable-legacy-endpoints": "true"},
        "kubelet_config": {
            # The read-only port lists every pod of the node without authentication.
            "insecure_kubelet_readonly_port_enabled": "FALSE",
            "pod_pids_limit": 4096,  # limits a fork bomb to its pod
            "cpu_cfs_quota": True,  # CPU limits are enforced
        },
    }
