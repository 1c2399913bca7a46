"""Changes of immutable fields: replaced as pulumi-kubernetes does it, else refused as the API server does."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.providers.calls import Calls, urn

PRIORITY = "scheduling.k8s.io/v1:PriorityClass"
STORAGE = "storage.k8s.io/v1:StorageClass"
META = {"metadata": {"name": "it", "namespace": "kingdom"}}


@pytest.mark.parametrize(
    ("token", "old", "new"),
    [
        (
            "apps/v1:Deployment",
            {"selector": {"matchLabels": {"a": "1"}}},
            {"selector": {"matchLabels": {"a": "2"}}},
        ),
        ("apps/v1:StatefulSet", {"serviceName": "a"}, {"serviceName": "b"}),
        ("apps/v1:StatefulSet", {"volumeClaimTemplates": []}, {"volumeClaimTemplates": [{"spec": {}}]}),
        (
            "batch/v1:Job",
            {"template": {"spec": {"hostname": "a"}}},
            {"template": {"spec": {"hostname": "b"}}},
        ),
        ("core/v1:Service", {"clusterIP": "10.0.0.1"}, {"clusterIP": "10.0.0.2"}),
        ("core/v1:PersistentVolumeClaim", {"storageClassName": "a"}, {"storageClassName": "b"}),
        ("core/v1:PersistentVolume", {"nfs": {"path": "/a"}}, {"nfs": {"path": "/b"}}),
        ("core/v1:Pod", {"nodeName": "a"}, {"nodeName": "b"}),
    ],
)
def test_a_field_of_the_providers_list_replaces(
    token: str, old: dict[str, Any], new: dict[str, Any], kubernetes: Calls
) -> None:
    found = kubernetes.diff(urn(f"kubernetes:{token}"), META | {"spec": old}, META | {"spec": new})
    assert list(found.replaces) == ["spec"]


@pytest.mark.parametrize(
    ("token", "old", "new"),
    [
        ("rbac.authorization.k8s.io/v1:RoleBinding", {"roleRef": {"name": "a"}}, {"roleRef": {"name": "b"}}),
        (STORAGE, {"parameters": {"type": "a"}}, {"parameters": {"type": "b"}}),
        ("core/v1:Secret", {"type": "Opaque"}, {"type": "example.com/token"}),
        ("core/v1:ConfigMap", {"data": {"a": "1"}}, {"data": {"a": "2"}}),
    ],
)
def test_a_top_level_field_of_the_providers_list_replaces(
    token: str, old: dict[str, Any], new: dict[str, Any], kubernetes: Calls
) -> None:
    assert kubernetes.diff(urn(f"kubernetes:{token}"), META | old, META | new).replaces


@pytest.mark.parametrize(
    ("token", "old", "new", "field"),
    [
        (PRIORITY, {"value": 1}, {"value": 2}, "value"),
        (
            "scheduling.k8s.io/v1:PriorityClass",
            {"value": 1},
            {"value": 1, "preemptionPolicy": "Never"},
            "preemption",
        ),
        (
            "storage.k8s.io/v1:StorageClass",
            {"reclaimPolicy": "Delete"},
            {"reclaimPolicy": "Retain"},
            "reclaimPolicy",
        ),
        (
            "core/v1:PersistentVolumeClaim",
            {"spec": {"volumeMode": "Filesystem"}},
            {"spec": {"volumeMode": "Block"}},
            "spec.volumeMode",
        ),
        (
            "core/v1:PersistentVolumeClaim",
            {"spec": {"resources": {"requests": {"storage": "10Gi"}}}},
            {"spec": {"resources": {"requests": {"storage": "5Gi"}}}},
            "spec.resources.requests.storage",
        ),
        ("batch/v1:Job", {"spec": {}}, {"spec": {"completionMode": "Indexed"}}, "spec.completionMode"),
        ("core/v1:ConfigMap", {"immutable": True}, {"immutable": False}, "immutable"),
    ],
)
@pytest.mark.parametrize("preview", [True, False])
def test_another_immutable_field_is_refused_in_a_preview_and_in_an_update(
    token: str, old: dict[str, Any], new: dict[str, Any], field: str, preview: bool, kubernetes: Calls
) -> None:
    with pytest.raises(ProviderError, match=field):
        kubernetes.update(urn(f"kubernetes:{token}"), "kingdom/it", META | old, META | new, preview=preview)


@pytest.mark.parametrize(
    ("token", "old", "new"),
    [
        (
            "scheduling.k8s.io/v1:PriorityClass",
            {"value": 1},
            {"value": 1, "preemptionPolicy": "PreemptLowerPriority"},
        ),
        (STORAGE, {"reclaimPolicy": "Delete"}, {}),
        ("batch/v1:Job", {"spec": {}}, {"spec": {"completionMode": UNKNOWN}}),
        (
            "core/v1:PersistentVolumeClaim",
            {"spec": {"resources": {"requests": {"storage": "10Gi"}}}},
            {"spec": {"resources": {"requests": {"storage": "20Gi"}}}},
        ),
    ],
)
def test_a_default_an_unknown_value_and_a_larger_claim_are_accepted(
    token: str, old: dict[str, Any], new: dict[str, Any], kubernetes: Calls
) -> None:
    kubernetes.update(urn(f"kubernetes:{token}"), "kingdom/it", META | old, META | new, preview=True)
