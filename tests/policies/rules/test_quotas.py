"""The quota's proof is exact: the sum of all peaks passes, and any less is found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from policies.testing import ResourceFixture, evaluate

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
def test_the_sum_of_all_peaks_is_enough_and_a_thousandth_less_is_not(
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
def test_what_stateful_sets_claim_is_counted_by_class(replicas: int, size: int, loose: int) -> None:
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
