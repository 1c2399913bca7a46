"""The Job of a load test: one coordinator and its workers, in one set of indexed pods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.batch import v1 as batch
from pulumi_kubernetes.core import v1 as core

from infra.component import Component, Environment
from infra.loadtest.accounts import ACCOUNTS, Accounts
from infra.loadtest.network_policies import MASTER_PORT
from infra.settings.load_test import RunSettings
from infra.settings.roles import LOAD_TEST, PUBLIC, NodePoolKind
from infra.settings.service import ImageSettings
from infra.workload.deployment import SECRETS_DIR, mounted
from infra.workload.namespace import Namespace, kubernetes_labels, selector
from infra.workload.pods import container, pod, service_account

WINDOW_START: Final = "kingdom.studio/window-start"
WINDOW_END: Final = "kingdom.studio/window-end"
KEEP_SECONDS: Final = 86_400
"""Seconds for which the finished Job and its logs, which contain the results, are retained."""
GRACE_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class JobArgs:
    """The environment, the namespace, the service's namespace and registry, the accounts, and the settings.

    `after` are the resources that precede the pods.
    """

    environment: Environment
    namespace: Namespace
    service_namespace: str
    registry: str
    accounts: Accounts | None
    run: RunSettings
    after: Sequence[pulumi.Resource]


class LoadTestJob(Component):
    """Account, Service of the coordinator, mounted accounts and Job.

    The Job ends when its first pod, the coordinator, ends after the schedule. A failed pod ends it as well,
    because the remaining pods would send less load than stated. No pod is restarted.
    """

    def __init__(self, name: str, args: JobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:loadtest:Job", name, opts)
        namespace, ready = args.namespace.metadata_name, args.namespace.ready
        labels = kubernetes_labels(args.environment, LOAD_TEST)
        google = None if args.accounts is None else args.accounts.account
        account = service_account(self, LOAD_TEST, args.environment, args.namespace, google)
        coordinator = core.Service(
            f"{name}-coordinator",
            metadata={"name": LOAD_TEST, "namespace": namespace, "labels": labels},
            spec={
                "cluster_ip": "None",
                "publish_not_ready_addresses": True,
                "selector": selector(LOAD_TEST),
                "ports": [{"name": "locust", "port": MASTER_PORT, "protocol": "TCP"}],
            },
            opts=self.child(depends_on=ready),
        )
        after: list[pulumi.Resource] = [*ready, account, coordinator, *args.after]
        if args.accounts is not None:
            after.append(
                CustomResource(
                    f"{name}-accounts",
                    api_version="secrets-store.csi.x-k8s.io/v1",
                    kind="SecretProviderClass",
                    metadata={"name": ACCOUNTS, "namespace": namespace, "labels": labels},
                    spec={"provider": "gke", "parameters": {"secrets": mounted(args.accounts.versions)}},
                    opts=self.child(depends_on=[*ready, *args.accounts.ready]),
                )
            )
        batch.Job(
            name,
            metadata={
                "name": LOAD_TEST,
                "namespace": namespace,
                "labels": labels,
                "annotations": {**window(args.run), "pulumi.com/skipAwait": "true"},
            },
            spec={
                "completion_mode": "Indexed",
                "completions": args.run.workers + 1,
                "parallelism": args.run.workers + 1,
                "success_policy": {"rules": [{"succeeded_indexes": "0"}]},
                "backoff_limit": 0,
                "active_deadline_seconds": args.run.deadline_seconds,
                "ttl_seconds_after_finished": KEEP_SECONDS,
                "template": {"metadata": {"labels": labels}, "spec": _pod(args)},
            },
            opts=self.child(depends_on=after),
        )
        self.register_outputs({"job": LOAD_TEST})


def window(run: RunSettings) -> dict[str, str]:
    """Return the annotations that state the window; empty without one."""
    return {} if run.window is None else {WINDOW_START: run.window.start, WINDOW_END: run.window.end}


def _pod(args: JobArgs) -> Any:
    run = args.run
    volumes: list[Any] = []
    mounts: dict[str, str] = {}
    arguments: list[str] = []
    if args.accounts is not None:
        mounts = {"accounts": SECRETS_DIR}
        attributes = {"secretProviderClass": ACCOUNTS}
        csi = {"driver": "secrets-store-gke.csi.k8s.io", "read_only": True, "volume_attributes": attributes}
        volumes = [{"name": "accounts", "csi": csi}]
    repository = f"{args.registry}/{LOAD_TEST}"
    image = ImageSettings.model_validate({"repository": repository, "digest": run.digest})
    return {
        **pod(LOAD_TEST, NodePoolKind.LOAD_TEST.value, run.resources, volumes),
        "restart_policy": "Never",
        "subdomain": LOAD_TEST,
        "termination_grace_period_seconds": GRACE_SECONDS,
        "containers": [
            {
                **container(LOAD_TEST, image, run.resources, variables(args), mounts),
                "command": ["python", "-m", "loadtest.distributed"],
                "args": arguments,
                "ports": [{"name": "locust", "container_port": MASTER_PORT, "protocol": "TCP"}],
            }
        ],
    }


def variables(args: JobArgs) -> dict[str, pulumi.Input[str]]:
    """Return the environment variables; each pod's index is in `JOB_COMPLETION_INDEX`, which the Job sets.

    The coordinator, pod 0 of the indexed Job, is `loadtest-0` in the Service.
    """
    run = args.run
    return {
        "KINGDOM_LOADTEST_ENVIRONMENT": args.environment.name,
        "KINGDOM_LOADTEST_SCENARIO": run.scenario.value,
        "KINGDOM_LOADTEST_WORKERS": str(run.workers),
        "KINGDOM_LOADTEST_HOST": f"{PUBLIC}.{args.service_namespace}.svc",
        "KINGDOM_LOADTEST_PORT": "80",
        "KINGDOM_LOADTEST_COORDINATOR": f"{LOAD_TEST}-0.{LOAD_TEST}",
        **(
            {}
            if run.window is None
            else {
                "KINGDOM_LOADTEST_WINDOW_START": run.window.start,
                "KINGDOM_LOADTEST_WINDOW_END": run.window.end,
            }
        ),
        **({} if args.accounts is None else {"KINGDOM_LOADTEST_ACCOUNTS_FILE": f"{SECRETS_DIR}/{ACCOUNTS}"}),
    }
