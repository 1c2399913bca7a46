"""The mapping of Pulumi names to Terraform names covers every type and property that both have."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import yaml

from rehearsal.providers.constraints import facts
from rehearsal.providers.constraints.names import mapped_type, terraform_type, unmapped
from rehearsal.providers.schema import sdk_module
from tests.rehearsal.providers.constraints.stacks import declared_types

HERE = Path(__file__).parent
# Properties that no fact covers: newer than the measured provider or older, or renamed by the bridge.
WITHOUT_FACTS: dict[str, list[str]] = yaml.safe_load((HERE / "unmapped_properties.yaml").read_text())
# Types that the bridge's metadata of August 2026 does not list, although SDK and facts have them.
NEWER_TYPES = {
    "cloudflare:index/aiSearchNamespace:AiSearchNamespace",
    "cloudflare:index/customCsr:CustomCsr",
    "cloudflare:index/dlsPrefixBinding:DlsPrefixBinding",
    "cloudflare:index/flagshipApp:FlagshipApp",
    "cloudflare:index/flagshipFlag:FlagshipFlag",
    "cloudflare:index/googleTagGateway:GoogleTagGateway",
    "cloudflare:index/loadBalancerMonitorGroup:LoadBalancerMonitorGroup",
    "cloudflare:index/magicTransitCf1Site:MagicTransitCf1Site",
    "cloudflare:index/moqRelay:MoqRelay",
    "cloudflare:index/oauthClient:OauthClient",
    "cloudflare:index/originCloudRegion:OriginCloudRegion",
    "cloudflare:index/originTlsComplianceModes:OriginTlsComplianceModes",
    "cloudflare:index/secretsStore:SecretsStore",
    "cloudflare:index/secretsStoreSecret:SecretsStoreSecret",
    "cloudflare:index/share:Share",
    "cloudflare:index/shareRecipient:ShareRecipient",
    "cloudflare:index/shareResource:ShareResource",
    "cloudflare:index/zeroTrustDeviceDeploymentGroups:ZeroTrustDeviceDeploymentGroups",
    "cloudflare:index/zeroTrustDlpDataClass:ZeroTrustDlpDataClass",
    "cloudflare:index/zeroTrustDlpDataTag:ZeroTrustDlpDataTag",
    "cloudflare:index/zeroTrustDlpDataTagCategory:ZeroTrustDlpDataTagCategory",
    "cloudflare:index/zeroTrustDlpSensitivityGroup:ZeroTrustDlpSensitivityGroup",
    "cloudflare:index/zeroTrustDlpSensitivityLevel:ZeroTrustDlpSensitivityLevel",
    "cloudflare:index/zeroTrustDlpSensitivityLevelOrder:ZeroTrustDlpSensitivityLevelOrder",
    "cloudflare:index/zeroTrustTunnelWarpConnectorConfig:ZeroTrustTunnelWarpConnectorConfig",
    "cloudflare:index/zoneAutoOriginTlsKex:ZoneAutoOriginTlsKex",
    "gcp:memorystore/aclPolicy:AclPolicy",
    "gcp:redis/clusterAclPolicy:ClusterAclPolicy",
}
# Types that the facts have and no SDK.
WITHOUT_TOKEN = {"cloudflare_registrar_domain"}


def type_names() -> dict[str, str]:
    """The Terraform type by Pulumi type token, as the bridge's metadata state it."""
    lines = (HERE / "type_names.txt").read_text().splitlines()
    return dict(line.split() for line in lines if not line.startswith("#"))  # type: ignore[misc]


def sdk_tokens(package: str) -> set[str]:
    """Every type token that an SDK registers."""
    registered = inspect.getsource(sdk_module(f"pulumi_{package}"))
    return set(re.findall(rf'"({package}:[\w/-]+:\w+)": "', registered))


@pytest.mark.parametrize("token", declared_types())
def test_every_property_of_a_declared_type_has_facts_or_is_listed(token: str) -> None:
    assert mapped_type(token) is not None
    assert unmapped(token) == WITHOUT_FACTS.get(token, [])


@pytest.mark.slow  # it loads every class of three SDKs
@pytest.mark.timeout(600)
@pytest.mark.parametrize("package", facts.PACKAGES)
def test_every_property_of_every_shared_type_has_facts_or_is_listed(package: str) -> None:
    shared = [token for token in sdk_tokens(package) if terraform_type(token) is not None]
    assert len(shared) > 70
    found = {token: names for token in shared if (names := unmapped(token))}
    listed = {token: names for token, names in WITHOUT_FACTS.items() if token.startswith(f"{package}:")}
    assert found == listed


@pytest.mark.parametrize("package", facts.PACKAGES)
def test_every_shared_type_maps_as_the_bridge_maps_it(package: str) -> None:
    names = {token: name for token, name in type_names().items() if token.startswith(f"{package}:")}
    tokens = sdk_tokens(package)
    assert names.keys() <= tokens
    mapped = {token: name for token in tokens if (name := terraform_type(token)) is not None}
    assert {token: name for token, name in mapped.items() if token not in NEWER_TYPES} == names
    assert set(facts.types(package)) - set(mapped.values()) <= WITHOUT_TOKEN


@pytest.mark.parametrize(
    ("token", "name"),
    [
        ("gcp:storage/bucketIAMMember:BucketIAMMember", "google_storage_bucket_iam_member"),
        ("gcp:projects/iAMMember:IAMMember", "google_project_iam_member"),
        ("gcp:gkebackup/backupPlan:BackupPlan", "google_gke_backup_backup_plan"),
        ("gcp:compute/sSLPolicy:SSLPolicy", "google_compute_ssl_policy"),
        ("gcp:serviceaccount/account:Account", "google_service_account"),
        ("gcp:organizations/folder:Folder", "google_folder"),
        ("gcp:dataform/folder:Folder", None),
        ("cloudflare:index/record:Record", "cloudflare_dns_record"),
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


def test_a_type_is_parsed_on_first_use() -> None:
    facts.read.cache_clear()
    assert facts.read("gcp", "google_redis_instance") is not None
    assert facts.read.cache_info().currsize == 1
