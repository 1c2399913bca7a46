"""The index of the Kubernetes SDK's input types has what the SDK declares."""

from __future__ import annotations

import json

from rehearsal.providers.kubernetes.declared_types import INDEX
from tools.kubernetes_types import index_of

KINDS = [
    "kubernetes:apps/v1:Deployment",
    "kubernetes:core/v1:Pod",
    "kubernetes:core/v1:Service",
    "kubernetes:core/v1:ConfigMap",
]


def test_index_has_the_types_of_the_sdk() -> None:
    stored, found = json.loads(INDEX.read_text()), index_of(KINDS)
    assert {kind: stored["kinds"][kind] for kind in KINDS} == found["kinds"]
    assert len(found["objects"]) > 100
    assert {name: stored["objects"][name] for name in found["objects"]} == found["objects"]
