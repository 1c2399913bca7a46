"""The index of the Kubernetes SDK's input types says what the SDK says."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from rehearsal.providers.kubernetes.declared_types import INDEX, SDK, declared_inputs
from tools.kubernetes_types import index_of

KINDS = [
    "kubernetes:apps/v1:Deployment",
    "kubernetes:core/v1:Pod",
    "kubernetes:core/v1:Service",
    "kubernetes:core/v1:ConfigMap",
]


def test_index_is_of_the_installed_sdk() -> None:
    """After an update of the SDK, run `python -m tools.kubernetes_types`."""
    assert json.loads(INDEX.read_text())["version"] == version(SDK)


def test_index_has_the_types_of_the_sdk() -> None:
    stored, found = json.loads(INDEX.read_text()), index_of(KINDS)
    assert {kind: stored["kinds"][kind] for kind in KINDS} == found["kinds"]
    assert len(found["objects"]) > 100
    assert {name: stored["objects"][name] for name in found["objects"]} == found["objects"]


@pytest.mark.parametrize("token", ["kubernetes:core/v1:Policy", "kubernetes:example.com/v1:Deployment"])
def test_kind_that_the_sdk_does_not_declare_has_no_type(token: str) -> None:
    assert declared_inputs(token) is None


def test_check_does_not_import_the_sdk() -> None:
    """Importing it takes longer than the evaluation of a thousand manifests."""
    program = (
        "import sys; from rehearsal.policy.manifest_check import check; "
        "check(['tests/rehearsal/policy/cases/schema-false-findings.yaml']); "
        "sys.exit('pulumi_kubernetes' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=120).returncode == 0
