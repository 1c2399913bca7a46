"""The index of the Kubernetes SDK's input types is current, and replaces the import of the SDK."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from rehearsal.providers.kubernetes.declared_types import INDEX, SDK, declared_inputs


def test_index_is_of_the_installed_sdk() -> None:
    """After an update of the SDK, run `python -m tools.kubernetes_types`."""
    assert json.loads(INDEX.read_text())["version"] == version(SDK)


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
