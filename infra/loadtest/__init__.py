"""A load test in the cluster (LOD1): its namespace, node pool, network policies and Job."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra.cluster import Cluster
from infra.component import Component, Environment
from infra.delivery import Delivery
from infra.kms import Keys
from infra.loadtest.accounts import Accounts, AccountsArgs
from infra.loadtest.job import JobArgs, LoadTestJob
from infra.loadtest.network_policies import own_policies, service_policies
from infra.node_pools import Pool, PoolArgs
from infra.settings.load_test import RunSettings
from infra.settings.roles import LOAD_TEST, NodePoolKind
from infra.settings.sizing import load_test_nodes, total
from infra.workload import Workload
from infra.workload.namespace import Namespace, NamespaceArgs
from infra.workload.network_policies import declare


@dataclass(frozen=True, slots=True)
class LoadTestArgs:
    """The environment, the cluster and target of the load test, the zones, the registry, and the settings."""

    environment: Environment
    keys: Keys
    cluster: Cluster
    zones: tuple[str, ...]
    delivery: Delivery
    workload: Workload
    registry: str
    run: RunSettings


class LoadTest(Component):
    """All resources of one load test; the component is not declared without one.

    Requests go to the Service of the API inside the cluster. The edge and the load balancer are not loaded:
    their limits per client would reject most requests of a few addresses.
    """

    def __init__(self, name: str, args: LoadTestArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        provided = pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(providers=[args.cluster.provider])
        )
        super().__init__("kingdom:loadtest:LoadTest", name, provided)
        environment, run, service = args.environment, args.run, args.workload.namespace
        pool = Pool(
            f"{name}-pool",
            PoolArgs(
                environment,
                args.cluster.cluster_id,
                args.cluster.nodes,
                args.keys,
                run.pool,
                args.zones,
                load_test_nodes(run),
                NodePoolKind.LOAD_TEST,
            ),
            self.child(),
        )
        namespace = Namespace(
            f"{name}-namespace",
            NamespaceArgs(
                environment, f"{service}-{LOAD_TEST}", total(run.workers + 1, run.resources), [run.resources]
            ),
            self.child(),
        )
        own, policies = namespace.metadata_name, own_policies(service)
        isolated = [
            *declare(self, environment, own, policies, namespace.ready),
            *declare(self, environment, service, service_policies(own), args.workload.ready),
        ]
        accounts = None
        if run.accounts_version:
            accounts = Accounts(
                f"{name}-accounts",
                AccountsArgs(environment, args.keys, own, run.accounts_version),
                self.child(),
            )
        LoadTestJob(
            f"{name}-job",
            JobArgs(
                environment,
                namespace,
                service,
                args.registry,
                accounts,
                run,
                [pool.pool, *isolated, *args.delivery.ready],
            ),
            self.child(),
        )
        self.register_outputs({"namespace": own})
