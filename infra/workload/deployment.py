"""One role of the service on the cluster: its account, its secrets, and its Deployment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps import v1 as apps

from infra.component import Component, Environment
from infra.service_identity import Identity
from infra.settings.service import RoleSettings, WorkloadSettings
from infra.settings.shutdown_timing import PROBE_FAILURES, Termination
from infra.workload.config_maps import FILES, FILES_DIR, VARIABLES, ConfigMaps
from infra.workload.namespace import Namespace, kubernetes_labels, selector
from infra.workload.pods import PORT_NAME, container, pod, service_account
from infra.workload.priority_classes import class_name

READINESS_PATH = "/readyz"
METRICS_PATH = "/metrics"
SECRETS_DIR = "/var/run/secrets/kingdom"
IMAGE_PATH = "spec.template.spec.containers[0].image"


@dataclass(frozen=True, slots=True)
class RoleArgs:
    """The role, its identity, its configuration, and the resources that precede its pods."""

    environment: Environment
    namespace: Namespace
    identity: Identity
    settings: WorkloadSettings
    replicas: RoleSettings
    configuration: ConfigMaps
    pool: str
    after: Sequence[pulumi.Resource]


class RoleWorkload(Component):
    """Account, SecretProviderClass and Deployment of one role (`api` or `worker`).

    The Deployment does not set `replicas`, which the autoscaler controls. Configuration and secret versions
    are part of the pod template, so a change of either rolls the pods.
    """

    def __init__(self, role: str, args: RoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:workload:Role", role, opts)
        namespace = args.namespace.metadata_name
        labels = kubernetes_labels(args.environment, role)
        account = service_account(self, role, args.environment, args.namespace, args.identity.accounts[role])
        secrets = CustomResource(
            f"{role}-secrets",
            api_version="secrets-store.csi.x-k8s.io/v1",
            kind="SecretProviderClass",
            metadata={"name": f"{role}-secrets", "namespace": namespace, "labels": labels},
            # Read from Secret Manager with the pod's identity; the cluster has no Secret object for it.
            spec={"provider": "gke", "parameters": {"secrets": mounted(args.identity.versions)}},
            opts=self.child(depends_on=[*args.namespace.ready, *args.identity.readable]),
        )
        fingerprint = pulumi.Output.all(args.configuration.digest, mounted(args.identity.versions)).apply(
            lambda parts: hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        )
        deployment = apps.Deployment(
            role,
            metadata={"name": role, "namespace": namespace, "labels": labels},
            spec={
                "selector": {"match_labels": selector(role)},
                "revision_history_limit": 5,
                "progress_deadline_seconds": 600,
                "strategy": {
                    "type": "RollingUpdate",
                    "rolling_update": {"max_surge": f"{args.replicas.surge_percent}%", "max_unavailable": 0},
                },
                "template": {
                    "metadata": {
                        "labels": labels,
                        "annotations": {"kingdom.studio/configuration": fingerprint},
                    },
                    "spec": self._pod(role, args),
                },
            },
            opts=self.child(
                depends_on=[account, secrets, *args.configuration.ready, *args.after],
                # A manual update must not replace the image that the workflow deployed.
                ignore_changes=[IMAGE_PATH] if args.settings.image.retains_deployed else [],
            ),
        )
        self.role = role
        self.deployment = deployment
        self.register_outputs({"deployment": role})

    def _pod(self, role: str, args: RoleArgs) -> Any:
        # Over zones first, then over nodes: the loss of a zone affects at most a third of the replicas. A
        # preference, not a requirement: if a zone has no capacity, the replicas run in the others.
        spread = [
            {
                "max_skew": 1,
                "topology_key": key,
                "when_unsatisfiable": "ScheduleAnyway",
                "label_selector": {"match_labels": selector(role)},
                "match_label_keys": ["pod-template-hash"],  # a rollout spreads its own pods
            }
            for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ]
        volumes = [
            {"name": "files", "config_map": {"name": FILES, "default_mode": 0o444}},
            {
                "name": "secrets",
                "csi": {
                    "driver": "secrets-store-gke.csi.k8s.io",
                    "read_only": True,
                    "volume_attributes": {"secretProviderClass": f"{role}-secrets"},
                },
            },
        ]
        return {
            **pod(role, args.pool, args.replicas.resources, volumes),
            "priority_class_name": class_name(role),
            "termination_grace_period_seconds": Termination.of(args.settings).grace,
            "topology_spread_constraints": spread,
            # Topology spread counts the pods of one rollout; anti-affinity also separates pods of two
            # rollouts.
            "affinity": {
                "pod_anti_affinity": {
                    "preferred_during_scheduling_ignored_during_execution": [
                        {
                            "weight": 100,
                            "pod_affinity_term": {
                                "topology_key": "kubernetes.io/hostname",
                                "label_selector": {"match_labels": selector(role)},
                            },
                        }
                    ]
                }
            },
            "containers": [self._container(role, args)],
        }

    def _container(self, role: str, args: RoleArgs) -> Any:
        variables = {"KINGDOM_SECRETS_DIR": SECRETS_DIR}
        mounts = {"files": FILES_DIR, "secrets": SECRETS_DIR}
        return {
            **container(role, args.settings.image, args.replicas.resources, variables, mounts),
            "env_from": [{"config_map_ref": {"name": VARIABLES}}],
            # Liveness needs more failures and fewer checks than readiness: an overloaded replica is taken out
            # of rotation, not restarted.
            "liveness_probe": probe("/livez", period=10, failures=3),
            "readiness_probe": probe(
                READINESS_PATH, period=Termination.of(args.settings).probe, failures=PROBE_FAILURES
            ),
            "startup_probe": probe("/startupz", period=2, failures=30),
        }


def probe(path: str, *, period: int, failures: int) -> Any:
    """Return an HTTP probe that runs every `period` seconds and fails after `failures` failures."""
    return {
        "http_get": {"path": path, "port": PORT_NAME, "scheme": "HTTP"},
        "period_seconds": period,
        "timeout_seconds": min(2, period),
        "failure_threshold": failures,
    }


def mounted(versions: Mapping[str, pulumi.Output[str]]) -> pulumi.Output[str]:
    """Return the mounts of the Secret Manager driver.

    Each file has one exact version, so a rotation is a rollout.
    """
    return pulumi.Output.all(**versions).apply(
        lambda names: json.dumps([{"resourceName": names[file], "path": file} for file in sorted(names)])
    )
