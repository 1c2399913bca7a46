"""API versions that are no longer served."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.policy.manifest_check import check
from rehearsal.policy.removed_apis import removal


@pytest.mark.parametrize(
    ("version", "kind", "text"),
    [
        ("extensions/v1beta1", "Deployment", "is not served since Kubernetes 1.16: use apps/v1"),
        ("extensions/v1beta1", "Ingress", "is not served since Kubernetes 1.22: use networking.k8s.io/v1"),
        ("policy/v1beta1", "PodSecurityPolicy", "1.25: PodSecurityPolicy was removed"),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", "1.26: use autoscaling/v2"),
        ("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema", "1.32: use flowcontrol.apiserver.k8s.io/v1"),
    ],
)
def test_removed_version_has_its_release_and_the_version_to_use(version: str, kind: str, text: str) -> None:
    assert removal(version, kind).startswith(version)
    assert removal(version, kind).endswith(text)


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("apps/v1", "Deployment"),
        # Later releases serve other kinds with these versions again.
        ("networking.k8s.io/v1beta1", "IPAddress"),
        ("admissionregistration.k8s.io/v1beta1", "ValidatingAdmissionPolicy"),
        ("example.com/v1beta1", "Deployment"),
    ],
)
def test_other_versions_are_served(version: str, kind: str) -> None:
    assert removal(version, kind) == ""


def test_check_reports_the_line_of_a_removed_version(tmp_path: Path) -> None:
    file = tmp_path / "budget.yaml"
    file.write_text(
        "# The version of an old release.\napiVersion: policy/v1beta1\nkind: PodDisruptionBudget\n"
        "metadata: {name: web}\nspec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}\n"
    )
    [found] = check([str(file)]).remarks
    assert (found.policy, found.level, found.line, found.path) == ("schema", "advisory", 2, "apiVersion")
