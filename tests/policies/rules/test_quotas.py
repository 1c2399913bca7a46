"""A quota equal to the sum of all peaks passes; a smaller one is a finding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.testing import ResourceFixture, evaluate
from tests.support.manifests import manifest, outcome, quota, workload

METADATA = {"namespace": "n"}


@dataclass(frozen=True)
class Fleet:
    """One deployment in plain numbers, CPU in thousandths; `max_replicas` is None without an autoscaler."""

    replicas: int
    max_replicas: int | None
    surge_percent: int
    main: int
    sidecar: int
    init: int

    @property
    def peak(self) -> int:
        """CPU at maxReplicas plus surge, computed independently."""
        max_replicas = self.max_replicas or self.replicas
        pods = max_replicas + math.ceil(max_replicas * self.surge_percent / 100)
        return pods * max(self.main + self.sidecar, self.init + self.sidecar)

    def resources(self, name: str) -> list[ResourceFixture]:
        def container(title: str, cpu: int, **more: Any) -> dict[str, Any]:
            return {"name": title, "resources": {"requests": {"cpu": f"{cpu}m"}}} | more

        spec: dict[str, Any] = {
            "strategy": {"rollingUpdate": {"maxSurge": f"{self.surge_percent}%"}},
            "template": {
                "spec": {
                    "initContainers": [
                        container("proxy", self.sidecar, restartPolicy="Always"),
                        container("warm", self.init),
                    ],
                    "containers": [container("main", self.main)],
                }
            },
        }
        found = []
        if self.max_replicas is None:
            spec["replicas"] = self.replicas
        else:
            target = {"kind": "Deployment", "name": name}
            bounds = {
                "minReplicas": self.replicas,
                "maxReplicas": self.max_replicas,
                "scaleTargetRef": target,
            }
            found.append(
                ResourceFixture(
                    "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
                    {"metadata": METADATA | {"name": name}, "spec": bounds},
                    name,
                )
            )
        deployment = {"metadata": METADATA | {"name": name}, "spec": spec}
        return [*found, ResourceFixture("kubernetes:apps/v1:Deployment", deployment, name)]


FLEETS = st.builds(
    Fleet,
    replicas=st.integers(0, 20),
    max_replicas=st.none() | st.integers(20, 100),
    surge_percent=st.integers(0, 100),
    main=st.integers(1, 4000),
    sidecar=st.integers(1, 500),
    init=st.integers(1, 6000),
)


@given(st.lists(FLEETS, min_size=1, max_size=4), st.booleans())
def test_a_quota_equal_to_the_sum_of_peaks_passes_and_a_smaller_one_does_not(
    fleets: list[Fleet], plain: bool
) -> None:
    key = "cpu" if plain else "requests.cpu"
    peak = sum(fleet.peak for fleet in fleets)
    resources = [item for at, fleet in enumerate(fleets) for item in fleet.resources(f"d{at}")]

    def findings(milli: int) -> list[str]:
        quota = {"metadata": METADATA | {"name": "q"}, "spec": {"hard": {key: f"{milli}m"}}}
        return evaluate(
            "quota-covers-peak", ResourceFixture("kubernetes:core/v1:ResourceQuota", quota, "q"), *resources
        ).findings

    assert findings(peak) == []
    if peak:
        [found] = findings(peak - 1)
        assert "less than the" in found


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 100))
def test_claims_of_stateful_sets_are_counted_by_storage_class(replicas: int, size: int, loose: int) -> None:
    def claim(gigabytes: int, storage_class: str) -> dict[str, Any]:
        return {
            "spec": {
                "storageClassName": storage_class,
                "resources": {"requests": {"storage": f"{gigabytes}Gi"}},
            }
        }

    resources = [
        ResourceFixture(
            "kubernetes:apps/v1:StatefulSet",
            {
                "metadata": METADATA | {"name": "s"},
                "spec": {"replicas": replicas, "volumeClaimTemplates": [claim(size, "fast")]},
            },
            "s",
        ),
        ResourceFixture(
            "kubernetes:core/v1:PersistentVolumeClaim",
            {"metadata": METADATA | {"name": "c"}} | claim(loose, "slow"),
            "c",
        ),
    ]

    def enough(**hard: str) -> bool:
        keys = {key.replace("__", "/").replace("_", "."): value for key, value in hard.items()}
        quota = {"metadata": METADATA | {"name": "q"}, "spec": {"hard": keys}}
        given_quota = ResourceFixture("kubernetes:core/v1:ResourceQuota", quota, "q")
        return evaluate("quota-covers-peak", given_quota, *resources).clean

    fast = replicas * size
    assert enough(requests_storage=f"{fast + loose}Gi", persistentvolumeclaims=str(replicas + 1))
    assert enough(fast_storageclass_storage_k8s_io__requests_storage=f"{fast}Gi")
    assert not enough(persistentvolumeclaims=str(replicas))
    if fast + loose:
        assert not enough(requests_storage=f"{fast + loose - 1}Gi")
    if fast:
        assert not enough(fast_storageclass_storage_k8s_io__requests_storage=f"{fast - 1}Gi")


RECREATE = "strategy: {type: Recreate}"
DAEMON = workload("DaemonSet", name="d", replicas=None, labels="{app: d}")
SCRATCH = (
    "volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: "
    "{storageClassName: fast, resources: {requests: {storage: 1Gi}}}}}}]"
)
DAEMON_WITH_CLAIMS = workload("DaemonSet", name="d", replicas=None, labels="{app: d}", pod=SCRATCH)
TARGET = "{apiVersion: apps/v1, kind: Deployment, name: a}"
CLAIM = "accessModes: [ReadWriteOnce], resources: {requests: {storage: 5Gi}}"
STANDARD = "standard.storageclass.storage.k8s.io/requests.storage"


def _hpa(maximum: int, name: str = "h", kind: str = "Deployment") -> str:
    target = f"{{kind: {kind}, name: a}}"
    spec = f"minReplicas: 1, maxReplicas: {maximum}, scaleTargetRef: {target}"
    return manifest("autoscaling/v2", "HorizontalPodAutoscaler", spec, name=name)


def _scaled_object(spec: str, more: str = "") -> str:
    return manifest("keda.sh/v1alpha1", "ScaledObject", f"scaleTargetRef: {{name: a}}, {spec}", more=more)


def _storage_class(name: str = "standard") -> str:
    annotations = 'annotations: {storageclass.kubernetes.io/is-default-class: "true"}'
    metadata = f"metadata: {{name: {name}, {annotations}}}"
    return f"---\napiVersion: storage.k8s.io/v1\nkind: StorageClass\n{metadata}\nprovisioner: p\n"


def _claim(spec: str = CLAIM, name: str = "c", more: str = "") -> str:
    return manifest("v1", "PersistentVolumeClaim", spec, name=name, more=more)


def _scope(expression: str) -> str:
    return f"scopeSelector: {{matchExpressions: [{{{expression}}}]}}"


def _affine(term: str) -> str:
    required = f"requiredDuringSchedulingIgnoredDuringExecution: [{{topologyKey: k, {term}}}]"
    return f"affinity: {{podAffinity: {{{required}}}}}"


ATTRIBUTES = "scopeName: VolumeAttributesClass, operator: In, values: [gold]"
OUTCOMES = {
    # A daemon set has one pod on each node, however many there are.
    "daemon set and pods": (DAEMON + quota("pods: 10"), "unproven"),
    "daemon set beside a sum that is too large": (
        DAEMON + workload(replicas=50) + quota("pods: 10"),
        "found",
    ),
    "daemon set and count/pods": (DAEMON + quota("count/pods: 10"), "unproven"),
    "claims of a daemon set": (DAEMON_WITH_CLAIMS + quota("persistentvolumeclaims: 3"), "unproven"),
    "storage of a daemon set": (DAEMON_WITH_CLAIMS + quota("requests.storage: 3Gi"), "unproven"),
    "storage class of a daemon set": (
        DAEMON_WITH_CLAIMS + quota("fast.storageclass.storage.k8s.io/requests.storage: 3Gi"),
        "unproven",
    ),
    "daemon set and config maps": (DAEMON + quota("configmaps: 5"), "clean"),
    # Autoscalers.
    "lower autoscaler last": (workload(replicas=None) + _hpa(9) + _hpa(3, "h2") + quota("pods: 6"), "found"),
    "ScaledObject beside an HPA": (
        workload(replicas=None) + _hpa(2) + _scaled_object("maxReplicaCount: 50") + quota("pods: 6"),
        "found",
    ),
    "ScaledObject paused at more": (
        workload()
        + _scaled_object("maxReplicaCount: 4", 'annotations: {autoscaling.keda.sh/paused-replicas: "20"}')
        + quota("pods: 5"),
        "found",
    ),
    "ScaledObject that fits": (workload() + _scaled_object("maxReplicaCount: 4") + quota("pods: 5"), "clean"),
    "HTTPScaledObject": (
        workload()
        + manifest("http.keda.sh/v1alpha1", "HTTPScaledObject", f"scaleTargetRef: {TARGET}")
        + quota("pods: 5"),
        "unproven",
    ),
    "MultidimPodAutoscaler": (
        workload()
        + manifest("autoscaling.gke.io/v1beta1", "MultidimPodAutoscaler", f"scaleTargetRef: {TARGET}")
        + quota("pods: 5"),
        "unproven",
    ),
    "Canary of Flagger": (
        workload() + manifest("flagger.app/v1beta1", "Canary", f"targetRef: {TARGET}") + quota("pods: 5"),
        "unproven",
    ),
    "autoscaled Rollout": (
        workload("Rollout", api="argoproj.io/v1alpha1", replicas=None)
        + _hpa(50, kind="Rollout")
        + quota("pods: 6"),
        "found",
    ),
    "container of an unknown kind and count/pods": (
        manifest("tekton.dev/v1", "TaskRun", "taskSpec: {steps: [{name: a, image: i, command: [x]}]}")
        + quota("count/pods: 6"),
        "unproven",
    ),
    # Storage classes.
    "declared default class": (_storage_class() + _claim() + quota(f"{STANDARD}: 1Gi"), "found"),
    "undeclared default class": (_claim() + quota(f"{STANDARD}: 1Gi"), "unproven"),
    "two default classes": (
        _storage_class() + _storage_class("other") + _claim() + quota(f"{STANDARD}: 1Gi"),
        "unproven",
    ),
    "no class": (_claim(f'storageClassName: "", {CLAIM}') + quota(f"{STANDARD}: 1Gi"), "clean"),
    "class in an annotation": (
        _claim(more="annotations: {volume.beta.kubernetes.io/storage-class: standard}")
        + quota(f"{STANDARD}: 1Gi"),
        "found",
    ),
    "claims of a volume attributes class": (
        _claim(f"volumeAttributesClassName: gold, {CLAIM}")
        + quota("persistentvolumeclaims: 0", _scope(ATTRIBUTES)),
        "found",
    ),
    "claims of no volume attributes class": (
        _claim() + quota("persistentvolumeclaims: 0", _scope(ATTRIBUTES)),
        "clean",
    ),
    # Scopes.
    "best effort with overhead": (
        workload(replicas=5, resources="{}", pod="overhead: {cpu: 100m}")
        + quota("pods: 3", "scopes: [BestEffort]"),
        "found",
    ),
    "empty list of namespaces": (
        workload(replicas=5, pod=_affine("namespaces: []"))
        + quota("pods: 3", "scopes: [CrossNamespacePodAffinity]"),
        "clean",
    ),
    "selected namespaces": (
        workload(replicas=5, pod=_affine("namespaceSelector: {}"))
        + quota("pods: 3", "scopes: [CrossNamespacePodAffinity]"),
        "found",
    ),
    "count/pods in a scope": (
        workload(replicas=5) + quota("count/pods: 3", "scopes: [NotTerminating]"),
        "found",
    ),
    # Objects that no declaration counts.
    "events": (quota("count/events: 5"), "unproven"),
    "leases": (quota("count/leases.coordination.k8s.io: 5"), "unproven"),
    # Declared twice in one file: the last one counts.
    "deployment in its former group too": (
        workload(replicas=2, api="extensions/v1beta1") + workload(replicas=2) + quota("pods: 3"),
        "clean",
    ),
    "deployment in its former group too, counted": (
        workload(api="extensions/v1beta1") + workload() + quota("count/deployments.apps: 1"),
        "clean",
    ),
    "quota twice": (workload(replicas=3) + quota("pods: 1") + quota("pods: 4"), "clean"),
    "limit range twice": (
        workload(resources="{}", spec=RECREATE)
        + manifest("v1", "LimitRange", "limits: [{type: Container, default: {cpu: 8}}]")
        + manifest("v1", "LimitRange", "limits: [{type: Container, default: {cpu: 100m}}]")
        + quota("requests.cpu: 1"),
        "clean",
    ),
    # Quantities that the API server rejects.
    "negative": (quota("pods: -1"), "found"),
    "fraction of a pod": (quota("pods: 1500m"), "found"),
    "fraction of a port": (quota("services.nodeports: 500m"), "found"),
    "space before a quantity": (quota('requests.cpu: " 1"'), "found"),
    "fraction of a CPU": (quota("requests.cpu: 1500m"), "clean"),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_quota_counts_as_the_api_server_does(name: str) -> None:
    text, expected = OUTCOMES[name]
    assert outcome(text, "quota-covers-peak").result == expected


@pytest.mark.parametrize(
    ("replicas", "surge", "pods"),
    [(4, "25%", 5), (5, "25%", 7), (3, "0%", 3), (3, "100%", 6), (3, "2", 5), (1, "1%", 2), (10, "34%", 14)],
)
def test_surge_is_rounded_up(replicas: int, surge: str, pods: int) -> None:
    strategy = f"strategy: {{rollingUpdate: {{maxSurge: {surge}, maxUnavailable: 1}}}}"
    given_workload = workload(replicas=replicas, spec=strategy)
    assert outcome(given_workload + quota(f"pods: {pods}"), "quota-covers-peak").result == "clean"
    assert outcome(given_workload + quota(f"pods: {pods - 1}"), "quota-covers-peak").result == "found"


def test_quota_that_many_workloads_break_names_twenty_and_counts_the_others() -> None:
    text = quota("requests.cpu: 100") + "".join(workload(name=f"w{at}", resources="{}") for at in range(25))
    found = outcome(text, "quota-covers-peak").findings
    assert len(found) == 21
    assert all("must set requests.cpu" in message for message in found[:20])
    assert "5 more workloads have the same problems" in found
