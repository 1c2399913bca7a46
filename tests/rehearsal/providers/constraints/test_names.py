"""Pulumi's names and Terraform's: every type that both the SDKs and the facts have, and every property."""

from __future__ import annotations

import pytest

from rehearsal.providers.constraints import facts
from rehearsal.providers.constraints.names import mapped_type, terraform_type, unmapped
from tests.rehearsal.providers.constraints.stacks import declared_types

# Properties that no fact covers: newer than the measured provider, or older.
WITHOUT_FACTS = {
    "cloudflare:index/dnsRecord:DnsRecord": ["includeShadowMetadata"],
    "cloudflare:index/loadBalancerPool:LoadBalancerPool": ["healthSources"],
    "cloudflare:index/notificationPolicy:NotificationPolicy": ["filters.tokenIds"],
    "cloudflare:index/ruleset:Ruleset": ["rules.actionParameters.originRangeRequests"],
    "gcp:compute/securityPolicy:SecurityPolicy": ["rules.preconfiguredWafConfig.exclusions.requestBodies"],
    "gcp:container/cluster:Cluster": [
        "nodePools.bestEffortProvisioning",
        "nodePools.networkConfig.additionalNodeNetworkConfigs.stackType",
    ],
    "gcp:container/nodePool:NodePool": [
        "bestEffortProvisioning",
        "networkConfig.additionalNodeNetworkConfigs.stackType",
    ],
    "gcp:secretmanager/secret:Secret": ["secretType"],
    "mongodbatlas:index/advancedCluster:AdvancedCluster": [
        "databaseEdition",
        "replicationSpecs.regionConfigs.autoScaling.storageConfig",
    ],
    "mongodbatlas:index/alertConfiguration:AlertConfiguration": [
        "notifications.webhookBodyTemplate",
        "notifications.webhookHeadersTemplate",
    ],
    "mongodbatlas:index/cloudBackupSchedule:CloudBackupSchedule": [
        "copyPolicyItemsEnabled",
        "copySettings.copyPolicyItems",
        "copySettings.lastNumberOfSnapshots",
        "deleteCopySnapshots",
        "updateCopySnapshots",
    ],
    "mongodbatlas:index/maintenanceWindow:MaintenanceWindow": ["waveAssignment"],
}


@pytest.mark.parametrize("token", declared_types())
def test_every_property_of_a_declared_type_has_facts_or_is_listed(token: str) -> None:
    assert mapped_type(token) is not None
    assert unmapped(token) == WITHOUT_FACTS.get(token, [])


@pytest.mark.parametrize(
    ("token", "name"),
    [
        ("gcp:storage/bucketIAMMember:BucketIAMMember", "google_storage_bucket_iam_member"),
        ("gcp:projects/iAMMember:IAMMember", "google_project_iam_member"),
        ("gcp:gkebackup/backupPlan:BackupPlan", "google_gke_backup_backup_plan"),
        ("gcp:compute/sSLPolicy:SSLPolicy", "google_compute_ssl_policy"),
        ("gcp:serviceaccount/account:Account", "google_service_account"),
        ("mongodbatlas:index/privateLinkEndpoint:PrivateLinkEndpoint", "mongodbatlas_privatelink_endpoint"),
        ("gcp:compute/nothing:Nothing", None),
        ("kubernetes:core/v1:Secret", None),
    ],
)
def test_a_type_token_maps_to_the_terraform_type(token: str, name: str | None) -> None:
    assert terraform_type(token) == name


def test_the_facts_name_their_source() -> None:
    for package in facts.PACKAGES:
        found = facts.source(package)
        assert found.provider.startswith("terraform-provider-")
        assert found.measured >= "2026-11"
        assert len(facts.types(package)) > 10


def test_a_type_is_parsed_only_when_it_is_asked_for() -> None:
    facts.read.cache_clear()
    assert facts.read("gcp", "google_redis_instance") is not None
    assert facts.read.cache_info().currsize == 1
