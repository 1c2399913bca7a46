"""LimitRanges: what the admission plugin rejects."""

from __future__ import annotations

import pytest

from tests.support.manifests import manifest, outcome, workload

STORAGE = manifest("v1", "LimitRange", "limits: [{type: PersistentVolumeClaim, max: {storage: 1Gi}}]")
CPU = manifest("v1", "LimitRange", "limits: [{type: Container, max: {cpu: 500m}}]")
CLUSTER = manifest("postgresql.cnpg.io/v1", "Cluster", "instances: 3")
BIG = "{resources: {requests: {storage: 2Gi}}}"
CASES = {
    "claim template of a StatefulSet": (
        STORAGE
        + workload("StatefulSet", spec=f"volumeClaimTemplates: [{{metadata: {{name: d}}, spec: {BIG}}}]"),
        "found",
    ),
    "ephemeral volume": (
        STORAGE
        + workload(pod=f"volumes: [{{name: v, ephemeral: {{volumeClaimTemplate: {{spec: {BIG}}}}}}}]"),
        "found",
    ),
    "claim": (STORAGE + manifest("v1", "PersistentVolumeClaim", BIG.strip("{}") + "}}"), "found"),
    "sidecar": (
        CPU
        + workload(pod="initContainers: [{name: s, restartPolicy: Always, resources: {limits: {cpu: 1}}}]"),
        "found",
    ),
    "Rollout": (
        CPU + workload("Rollout", api="argoproj.io/v1alpha1", resources="{limits: {cpu: 1}}"),
        "found",
    ),
    "maximum fills in the default": (CPU + workload(resources="{}"), "clean"),
    "pods of a custom resource": (CPU + CLUSTER, "unproven"),
    "claims of a custom resource": (STORAGE + CLUSTER, "unproven"),
    "configuration": (CPU + manifest("networking.istio.io/v1", "Sidecar", ""), "clean"),
    "request above the filled-in limit": (CPU + workload(resources="{requests: {cpu: 700m}}"), "found"),
}


@pytest.mark.parametrize("name", CASES)
def test_pods_that_the_limit_ranger_rejects_are_found(name: str) -> None:
    text, expected = CASES[name]
    assert outcome(text, "limit-range-admits").result == expected
