"""Properties of the whole platform, in the rehearsed resources of each stack."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from policies.api import monthly
from rehearsal.engine.state import ResourceState
from rehearsal.pulumi.properties import contains_secret, unwrap
from rehearsal.review.changes.cost_diff import span
from rehearsal.review.rules.policy_view import declared as as_stack
from tests.infra.rehearsal import ROOT, Declared, rehearse, strings

LABELLED = ("labels", "userLabels", "resourceLabels", "tags")


def test_every_stack_is_created_without_a_word_of_complaint(declared: Declared) -> None:
    assert declared.result.ok
    assert [item.message for item in declared.result.diagnostics] == []


@pytest.mark.slow
def test_a_second_update_changes_nothing(tmp_path: Path) -> None:
    rehearse("prod", tmp_path)
    assert not rehearse("prod", tmp_path).result.changed


def test_the_documented_costs_are_those_of_the_plan(declared: Declared) -> None:
    rows = re.findall(
        r"(?m)^\| (\w+) \| ([\d,]+ to [\d,]+) \| [\d,]+ \|$", (ROOT / "docs/operating.md").read_text()
    )
    costs = monthly(as_stack(declared.result.snapshot))
    if declared.stack == "local":  # its resources are processes
        assert "local" not in dict(rows)
    else:
        assert dict(rows)[declared.stack] == span(costs.minimum, costs.maximum)


def test_labelled_resources_have_the_label_of_the_environment(declared: Declared) -> None:
    for resource in declared.resources:
        for key in LABELLED:
            labels = resource.inputs.get(key)
            if isinstance(labels, dict) and "email_address" not in labels:
                assert labels.get("environment") == declared.stack, resource.urn
        if resource.type.startswith("kubernetes:"):
            assert resource.inputs["metadata"]["labels"]["environment"] == declared.stack, resource.urn


def test_api_of_production_scales_from_5_to_100(prod: Declared) -> None:
    spec = prod.one("HorizontalPodAutoscaler", "api-scaling")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (5, 100)


def test_vpa_only_recommends(declared: Declared) -> None:
    for autoscaler in declared.of("VerticalPodAutoscaler").values():
        assert autoscaler["spec"]["updatePolicy"]["updateMode"] == "Off"


def test_no_secret_is_in_a_manifest_or_a_plain_value(declared: Declared) -> None:
    versions = declared.of("SecretVersion")
    contents = {str(version["secretData"]) for version in versions.values()}
    # The client certificate, the session keys, one authority of Redis, and the AUTH string of each instance.
    assert len(contents) == 3 + len(declared.of("Instance"))
    for resource in declared.resources:
        if resource.type.endswith(":SecretVersion"):
            assert contains_secret(resource.inputs["secretData"]), resource.urn
        elif resource.type.startswith("kubernetes:"):
            assert not any(content and content in str(resource.inputs) for content in contents), resource.urn


# Resources that cannot be created again: data, backups, the keys to both, names and images in use.
HOLDING = {
    "gcp:artifactregistry/repository:Repository",
    "gcp:compute/globalAddress:GlobalAddress",
    "gcp:container/cluster:Cluster",
    "gcp:gkebackup/backupPlan:BackupPlan",
    "gcp:kms/cryptoKey:CryptoKey",
    "gcp:kms/keyRing:KeyRing",
    "gcp:redis/instance:Instance",
    "gcp:secretmanager/secret:Secret",
    "gcp:storage/bucket:Bucket",
    "mongodbatlas:index/advancedCluster:AdvancedCluster",
    "mongodbatlas:index/cloudBackupSchedule:CloudBackupSchedule",
    "mongodbatlas:index/project:Project",
}
FLAGS = ("deletionProtection", "terminationProtectionEnabled")


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_data_stores_are_protected(stack: str, stack_of: Callable[[str], Declared]) -> None:
    declared = stack_of(stack)
    holding = [item for item in declared.resources if item.type in HOLDING and not reserved(item)]
    assert {item.type for item in holding} == HOLDING
    assert [item.urn for item in holding if not item.protect] == []
    flags = [(item.urn, item.inputs[flag]) for item in holding for flag in FLAGS if flag in item.inputs]
    assert len(flags) >= 4
    assert all(on for _, on in flags)


def reserved(item: ResourceState) -> bool:
    """A range reserved for Google's services: it contains no resource and is not visible outside."""
    return item.inputs.get("purpose") == "VPC_PEERING"


def test_every_key_that_is_made_encrypts_something(prod: Declared) -> None:
    inputs = [
        (item.type, text)
        for item in prod.resources
        for text in strings(unwrap(item.inputs))
        if "/cryptoKeys/" in text
    ]
    for item in prod.resources:
        if item.type.endswith(":CryptoKey"):
            assert "/cryptoKeys/" in item.id
            users = [kind for kind, text in inputs if text.startswith(item.id) and "IAMMember" not in kind]
            assert users, item.urn
