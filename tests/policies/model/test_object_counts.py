"""Objects of a namespace: declared, created by controllers, and their storage."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from policies.model.object_counts import holdings, needed, needed_in_scope, plural_of, unproven
from policies.model.property_tree import UNKNOWN
from policies.model.stack import Resource, Stack
from tests.policies.model.objects import declared, one
from tests.policies.model.test_peak_demand import container, deployment, peak


def held(*resources: Resource, workloads: tuple[Resource, ...] = ()) -> Any:
    objects = Stack.of([*resources, *workloads]).objects
    return holdings(objects, {"n": [peak(item) for item in workloads]})["n"]


@pytest.mark.parametrize(
    ("type_", "plural"),
    [
        ("core/v1:ConfigMap", "configmaps"),
        ("core/v1:Endpoints", "endpoints"),
        ("networking.k8s.io/v1:Ingress", "ingresses.networking.k8s.io"),
        ("networking.k8s.io/v1:NetworkPolicy", "networkpolicies.networking.k8s.io"),
        ("gateway.networking.k8s.io/v1:Gateway", "gateways.gateway.networking.k8s.io"),
        ("extensions/v1beta1:Deployment", "deployments.apps"),
        ("example.com/v1:Switch", "switches.example.com"),
        ("example.com/v1:Box", "boxes.example.com"),
    ],
)
def test_plural_of_a_kind(type_: str, plural: str) -> None:
    assert plural_of(one(declared(type_))) == plural


def test_objects_are_counted_once_with_those_of_the_control_plane() -> None:
    own = held(
        declared("core/v1:ConfigMap", name="a"),
        declared("core/v1:ConfigMap", name="b"),
        declared("core/v1:ConfigMap", name="a"),
    )
    assert needed("configmaps", own) == needed("count/configmaps", own) == 3
    assert needed("secrets", own) == 0
    assert needed("requests.cpu", own) is None


def test_declared_objects_of_the_control_plane_are_counted_once() -> None:
    own = held(
        declared("core/v1:ServiceAccount", name="default"),
        declared("core/v1:ServiceAccount", name="api"),
        declared("core/v1:ConfigMap", name="kube-root-ca.crt"),
        declared("example.com/v1:ConfigMap", name="kube-root-ca.crt"),
    )
    assert (needed("count/serviceaccounts", own), needed("configmaps", own)) == (2, 1)
    assert needed("count/configmaps.example.com", own) == 1


def service(kind: str, *ports: dict[str, Any], name: str = "s", **spec: Any) -> Resource:
    return declared("core/v1:Service", {"type": kind, "ports": list(ports)} | spec, name)


@pytest.mark.parametrize(
    ("item", "balancers", "ports"),
    [
        (service("ClusterIP", {"port": 1}), 0, 0),
        (service("NodePort", {"port": 1}, {"port": 2}), 0, 2),
        (service("LoadBalancer", {"port": 1}), 1, 1),
        (
            service(
                "LoadBalancer",
                {"port": 1},
                {"port": 2, "nodePort": 30000},
                allocateLoadBalancerNodePorts=False,
            ),
            1,
            1,
        ),
    ],
)
def test_node_ports_of_services_are_counted(item: Resource, balancers: int, ports: int) -> None:
    own = held(item)
    assert (needed("services.loadbalancers", own), needed("services.nodeports", own)) == (balancers, ports)


def claim(size: str, name: str = "c", **spec: Any) -> Resource:
    return declared(
        "core/v1:PersistentVolumeClaim", {"resources": {"requests": {"storage": size}}} | spec, name
    )


FAST = "fast.storageclass.storage.k8s.io"


def test_storage_is_counted_by_class() -> None:
    own = held(claim("1Gi", storageClassName="fast"), claim("2Gi", "d", storageClassName="slow"))
    assert needed("requests.storage", own) == 3 * 2**30
    assert needed(f"{FAST}/requests.storage", own) == 2**30
    assert needed(f"{FAST}/persistentvolumeclaims", own) == 1
    assert needed("persistentvolumeclaims", own) == 2


def test_claims_without_a_class_are_not_proven_unless_a_default_is_declared() -> None:
    own = held(claim("1"))
    assert "names no storage class" in unproven(f"{FAST}/requests.storage", own)[0]
    annotations = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    default = declared("storage.k8s.io/v1:StorageClass", None, "fast", metadata=annotations)
    own = held(claim("1"), default)
    assert unproven(f"{FAST}/requests.storage", own) == []
    assert needed(f"{FAST}/requests.storage", own) == 1


def test_templates_of_a_stateful_set_are_claimed_by_every_pod() -> None:
    template = {"spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "2"}}}}
    spec = {
        "replicas": 3,
        "template": {"spec": {"containers": [container("1")]}},
        "volumeClaimTemplates": [template],
    }
    own = held(workloads=(declared("apps/v1:StatefulSet", spec),))
    assert needed("persistentvolumeclaims", own) == 3
    assert needed("requests.storage", own) == Fraction(6)
    assert needed("count/controllerrevisions.apps", own) == 12


def test_objects_that_controllers_create_are_counted() -> None:
    own = held(
        service("ClusterIP", {"port": 1}), workloads=(deployment(replicas=100, revisionHistoryLimit=3),)
    )
    assert needed("count/replicasets.apps", own) == 5
    assert needed("count/pods", own) == 125
    assert needed("count/endpointslices.discovery.k8s.io", own) == 2


def test_finished_pods_of_jobs_are_counted() -> None:
    template = {"spec": {"containers": [container("1")]}}
    job = declared(
        "batch/v1:Job", {"template": template, "completions": 2, "parallelism": 2, "backoffLimit": 3}, "j"
    )
    assert needed("count/pods", held(workloads=(job,))) == 2 + 2 + 3
    spec = {"concurrencyPolicy": "Forbid", "jobTemplate": {"spec": {"template": template, "backoffLimit": 0}}}
    cron = declared("batch/v1:CronJob", spec, "c")
    assert needed("count/jobs.batch", held(workloads=(cron,))) == 3 + 1 + 1


@pytest.mark.parametrize(("ttl", "finished"), [(0, 0), (60, 1), (600, 2), (86_400, 4)])
def test_ttl_of_jobs_limits_the_finished_ones(ttl: int, finished: int) -> None:
    job = {"template": {"spec": {"containers": [container("1")]}}, "ttlSecondsAfterFinished": ttl}
    spec = {"concurrencyPolicy": "Forbid", "schedule": "*/5 * * * *", "jobTemplate": {"spec": job}}
    assert needed("count/jobs.batch", held(workloads=(declared("batch/v1:CronJob", spec),))) == finished + 1


def test_objects_created_at_run_time_are_never_proven() -> None:
    assert unproven("count/events", held(declared("core/v1:Secret")))
    assert unproven("count/secrets", held(declared("core/v1:Secret"))) == []


@pytest.mark.parametrize(
    ("operator", "values", "count"),
    [
        ("In", ["gold"], 1),
        ("NotIn", ["gold"], 2),
        ("Exists", [], 1),
        ("DoesNotExist", [], 2),
        ("In", ["x"], 0),
    ],
)
def test_claims_of_a_scope(operator: str, values: list[str], count: int) -> None:
    own = held(claim("1", volumeAttributesClassName="gold"), claim("1", "d"), claim("1", "e"))
    expressions = [("VolumeAttributesClass", operator, values)]
    assert needed_in_scope("persistentvolumeclaims", own, expressions) == count
    assert needed_in_scope("pods", own, expressions) is None
    assert needed_in_scope("persistentvolumeclaims", own, [("PriorityClass", operator, values)]) is None


def unproven_with(workload: Resource, *keys: str) -> list[bool]:
    own = held(workloads=(workload,))
    return [bool(unproven(key, own)) for key in keys]


CLAIM_KEYS = ("persistentvolumeclaims", "requests.storage", f"{FAST}/requests.storage")


def test_unknown_number_of_pods_is_not_proven() -> None:
    assert unproven_with(deployment(replicas=UNKNOWN), "pods", "count/jobs.batch", *CLAIM_KEYS) == [
        True, False, False, False, False,
    ]  # fmt: skip
    assert unproven_with(deployment(), "pods", *CLAIM_KEYS) == [False] * 4
    template = {"spec": {"containers": [container("1")]}}
    cron = {"jobTemplate": {"spec": {"template": template, "parallelism": UNKNOWN}}}
    assert unproven_with(declared("batch/v1:CronJob", cron, "c"), "pods", "count/jobs.batch") == [True, True]


def test_claims_of_an_unknown_number_of_pods_are_not_proven() -> None:
    template = {"spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "2"}}}}
    spec = {"replicas": UNKNOWN, "template": {"spec": {"containers": [container("1")]}}}
    stateful = declared("apps/v1:StatefulSet", spec | {"volumeClaimTemplates": [template]})
    assert unproven_with(stateful, *CLAIM_KEYS) == [True] * 3
    ephemeral = {"name": "v", "ephemeral": {"volumeClaimTemplate": template}}
    pod = {"containers": [container("1")], "volumes": [ephemeral]}
    assert unproven_with(deployment(pod, replicas=UNKNOWN), *CLAIM_KEYS) == [True] * 3
