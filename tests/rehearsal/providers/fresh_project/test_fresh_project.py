"""The first deployment of every stack has no obstacle, and each planted fault is reported as one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from rehearsal.engine.state import ResourceState
from rehearsal.providers.fresh_project import FreshProject, obstacles
from rehearsal.pulumi.properties import unwrap
from rehearsal.pulumi.urn import type_of
from tests.infra.rehearsal import configuration, name_of, operation, rehearse

pytestmark = pytest.mark.slow

States = list[ResourceState]


@cache
def rehearsed(stack: str) -> tuple[States, States]:
    """Return the resources in the plan of a new stack, and after its rehearsed deployment."""
    with TemporaryDirectory() as folder:
        planned = operation(stack, Path(folder)).preview().snapshot.resources
    with TemporaryDirectory() as folder:
        return list(planned), list(rehearse(stack, Path(folder)).result.snapshot.resources)


def fresh(stack: str) -> FreshProject:
    """Return new accounts with the plan and quotas of the stack file."""
    values = configuration(stack)
    return FreshProject.of_stack(
        {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_first_deployment_has_no_obstacle(stack: str) -> None:
    planned, created = rehearsed(stack)
    assert [str(one) for one in obstacles(fresh(stack), planned, created)] == []


def changed(
    resources: Sequence[ResourceState], name: str, change: Callable[[dict[str, Any]], None], type_: str = ""
) -> States:
    """Return the resources, with changed inputs of one."""
    found = list(resources)
    for at, item in enumerate(found):
        if item.custom and name_of(item.urn) == name and item.type.endswith(type_):
            inputs = copy.deepcopy(unwrap(dict(item.inputs)))
            change(inputs)
            found[at] = replace(item, inputs=inputs)
            return found
    raise AssertionError(f"no {type_} {name}")


def unordered(resources: Sequence[ResourceState], name: str, type_: str, without: str) -> States:
    """Return the resources, one without its dependencies whose URN contains `without`."""
    found = list(resources)
    for at, item in enumerate(found):
        if item.custom and name_of(item.urn) == name and item.type.endswith(type_):
            found[at] = replace(
                item,
                dependencies=tuple(urn for urn in item.dependencies if without not in urn),
                property_dependencies={
                    key: tuple(urn for urn in urns if without not in urn)
                    for key, urns in item.property_dependencies.items()
                },
            )
            return found
    raise AssertionError(f"no {type_} {name}")


def with_values(**values: Any) -> Callable[[dict[str, Any]], None]:
    """Return a function that sets these values in inputs."""
    return lambda inputs: inputs.update(values)


def added(
    resources: Sequence[ResourceState], type_: str, inputs: dict[str, Any], after: str = "no dependency"
) -> States:
    """Return the resources and one more, which depends on those whose URN contains `after`."""
    urn = f"urn:pulumi:prod::kingdom::{type_}::planted"
    before = tuple(item.urn for item in resources if after in item.urn)
    return [*resources, ResourceState(urn=urn, type=type_, custom=True, inputs=inputs, dependencies=before)]


AGENT = "serviceAccount:service-161803398874@gs-project-accounts.iam.gserviceaccount.com"
TIERED = "cloudflare:index/regionalTieredCache:RegionalTieredCache"
SETTING = "cloudflare:index/zoneSetting:ZoneSetting"
POLICY = "gcp:kms/cryptoKeyIAMPolicy:CryptoKeyIAMPolicy"
AGENT_POLICY = {"policyData": json.dumps({"bindings": [{"role": "roles/viewer", "members": [AGENT]}]})}
LARGE = {"machineType": "n2d-custom-80-163840", "diskSizeGb": 100}
DAILY = {"frequencyInterval": 1, "retentionUnit": "days", "retentionValue": 3}
CLUSTER = "gcp:container/cluster:Cluster"
BACKUPS = ("database-backup", "CloudBackupSchedule")
FAULTS: list[tuple[str, Callable[[States], States], str]] = [
    ("storage agent", lambda all_: changed(all_, "keys-media", with_values(member=AGENT)), "does not exist"),
    (
        "storage agent in a policy",
        lambda all_: added(all_, POLICY, AGENT_POLICY),
        "does not exist",
    ),
    (
        "agent without an identity",
        lambda all_: unordered(all_, "keys-cache", "CryptoKeyIAMMember", "ServiceIdentity"),
        "cloud-redis may not exist",
    ),
    (
        "API not enabled before",
        lambda all_: unordered(all_, "network", "network:Network", "projects/service"),
        "before the API compute is enabled",
    ),
    (
        "API never enabled",
        lambda all_: [item for item in all_ if name_of(item.urn) != "foundation-redis"],
        "the API redis is disabled",
    ),
    ("Enterprise only, switched on", lambda all_: added(all_, TIERED, {"value": "on"}), "error 1135"),
    ("Enterprise only", lambda all_: added(all_, TIERED, {"value": "off"}), "error 1135"),
    (
        "setting of the Enterprise plan",
        lambda all_: added(all_, SETTING, {"settingId": "true_client_ip_header", "value": "off"}),
        "does not include true_client_ip_header",
    ),
    (
        "rules beyond the plan",
        lambda all_: changed(
            all_, "edge-rules-rates", lambda inputs: inputs.update(rules=inputs["rules"] * 3)
        ),
        "the plan business allows at most 5",
    ),
    (
        "exact version",
        lambda all_: changed(all_, "cluster", with_values(minMasterVersion="1.37.1-gke.100"), CLUSTER),
        "leaves the release channel",
    ),
    (
        "exact version without a build",
        lambda all_: changed(all_, "cluster", with_values(minMasterVersion="1.37.1"), CLUSTER),
        "leaves the release channel",
    ),
    (
        "exact version of a pool",
        lambda all_: changed(all_, "cluster-spot", with_values(version="1.37.1-gke.100"), "NodePool"),
        "leaves the release channel",
    ),
    (
        "quota of a custom machine type",
        lambda all_: changed(all_, "cluster-spot", with_values(nodeConfig=LARGE), "NodePool"),
        "the quota N2D_CPUS is",
    ),
    (
        "version without a feature",
        lambda all_: changed(all_, "cluster", with_values(minMasterVersion="1.36"), CLUSTER),
        "STRONG_COOKIE_AFFINITY",
    ),
    (
        "authorized networks",
        lambda all_: changed(all_, "cluster", with_values(masterAuthorizedNetworksConfig={}), CLUSTER),
        "never sent",
    ),
    (
        "authorized networks with a range",
        lambda all_: changed(
            all_,
            "cluster",
            with_values(masterAuthorizedNetworksConfig={"cidrBlocks": [{"cidrBlock": "10.0.0.0/8"}]}),
            CLUSTER,
        ),
        "never sent",
    ),
    (
        "vulnerability scan of Enterprise",
        lambda all_: changed(
            all_,
            "cluster",
            with_values(securityPostureConfig={"vulnerabilityMode": "VULNERABILITY_ENTERPRISE"}),
            CLUSTER,
        ),
        "no longer offers",
    ),
    (
        "vulnerability scan",
        lambda all_: changed(
            all_,
            "cluster",
            with_values(securityPostureConfig={"mode": "BASIC", "vulnerabilityMode": "VULNERABILITY_BASIC"}),
            CLUSTER,
        ),
        "no longer offers",
    ),
    (
        "node_pool_auto_config",
        lambda all_: changed(all_, "cluster", with_values(nodePoolAutoConfig={"a": 1}), CLUSTER),
        "auto-provisioned pools only",
    ),
    (
        "trailing dot",
        lambda all_: changed(all_, "edge-certificate", with_values(content="a.example.")),
        "dot",
    ),
    (
        "trailing dot of a name",
        lambda all_: changed(all_, "edge", with_values(name="a.example."), "DnsRecord"),
        "stores name without its trailing dot",
    ),
    ("TTL of a proxied record", lambda all_: changed(all_, "edge", with_values(ttl=300), "DnsRecord"), "TTL"),
    ("webp first", lambda all_: unordered(all_, "edge-webp", "ZoneSetting", "edge-polish"), "error 1020"),
    (
        "webp without polish",
        lambda all_: changed(all_, "edge-polish", with_values(value="off"), "ZoneSetting"),
        "error 1020",
    ),
    (
        "App Check at once",
        lambda all_: unordered(all_, "storage-apps-android", "AppCheckPlayIntegrityConfig", "redis/instance"),
        "first 30 seconds",
    ),
    (
        "peering",
        lambda all_: changed(all_, "network-services", with_values(deletionPolicy=None), "Connection"),
        "still holds the peering",
    ),
    (
        "compliance policy",
        lambda all_: changed(all_, "database-backup", with_values(skipDestroy=False), "CloudBackupSchedule"),
        "deletes no backup schedule",
    ),
    (
        "schedule below the compliance policy",
        lambda all_: changed(
            all_, "database-backup", with_values(policyItemDaily=DAILY), "CloudBackupSchedule"
        ),
        "which Atlas requires of every schedule",
    ),
    (
        "compliance policy that is deleted",
        lambda all_: [
            replace(item, retain_on_delete=False) if item.type.endswith("CompliancePolicy") else item
            for item in all_
        ],
        "only MongoDB's support",
    ),
    (
        "DNSSEC",
        lambda all_: [
            replace(item, ignore_changes=()) if item.type.endswith("ZoneDnssec") else item for item in all_
        ],
        "pending",
    ),
    (
        "default network",
        lambda all_: changed(all_, "network", with_values(name="default"), "Network"),
        "exists",
    ),
    (
        "storage agent in a binding",
        lambda all_: added(all_, "gcp:storage/bucketIAMBinding:BucketIAMBinding", {"members": [AGENT]}),
        "does not exist",
    ),
    (
        "account of compute before its API",
        lambda all_: added(
            all_,
            "gcp:projects/iAMMember:IAMMember",
            {"member": "serviceAccount:161803398874-compute@developer.gserviceaccount.com"},
        ),
        "may not exist before the API compute",
    ),
    (
        "logs of a zone",
        lambda all_: added(all_, "cloudflare:index/logpushJob:LogpushJob", {"zoneId": "0" * 32}),
        "zoneId needs the plan enterprise",
    ),
    (
        "exact version of Autopilot",
        lambda all_: added(
            all_, CLUSTER, {"enableAutopilot": True, "minMasterVersion": "1.37.1-gke.100"}, "service"
        ),
        "leaves the release channel",
    ),
    (
        "quota of a disk",
        lambda all_: added(all_, "gcp:compute/disk:Disk", {"type": "pd-ssd", "size": 3000}, "service"),
        "the quota SSD_TOTAL_GB is 2500",
    ),
    (
        "authorized networks of Google",
        lambda all_: changed(
            all_,
            "cluster",
            with_values(masterAuthorizedNetworksConfig={"gcpPublicCidrsAccessEnabled": False}),
            CLUSTER,
        ),
        "never sent",
    ),
    (
        "trailing dot of a target",
        lambda all_: added(
            all_,
            "cloudflare:index/dnsRecord:DnsRecord",
            {"name": "_sip._tcp", "type": "SRV", "data": {"target": "sip.example.", "port": 5060}},
        ),
        "stores data.target without its trailing dot",
    ),
    (
        "polish of another zone",
        lambda all_: changed(all_, "edge-polish", with_values(zoneId="0" * 32), "ZoneSetting"),
        "error 1020",
    ),
    (
        "defaults of auto-provisioning",
        lambda all_: changed(
            all_,
            "cluster",
            with_values(clusterAutoscaling={"autoProvisioningDefaults": {"diskSizeGb": 50}}),
            CLUSTER,
        ),
        "auto-provisioned pools only",
    ),
    (
        "vulnerability scan of a fleet",
        lambda all_: added(
            all_,
            "gcp:gkehub/fleet:Fleet",
            {"defaultClusterConfig": {"securityPostureConfig": {"vulnerabilityMode": "VULNERABILITY_BASIC"}}},
        ),
        "no longer offers",
    ),
    (
        "schedule without an item of the policy",
        lambda all_: changed(all_, BACKUPS[0], with_values(policyItemMonthlies=[]), BACKUPS[1]),
        "policyItemMonthlies is absent",
    ),
    (
        "cluster without the backups of the policy",
        lambda all_: changed(all_, "database", with_values(pitEnabled=False), "AdvancedCluster"),
        "pitEnabled is false",
    ),
    (
        "App Check's debug token at once",
        lambda all_: added(
            all_, "gcp:firebase/appCheckDebugToken:AppCheckDebugToken", {"appId": "a"}, "AppleApp"
        ),
        "first 30 seconds",
    ),
    (
        "peering that is deleted",
        lambda all_: changed(all_, "network-services", with_values(deletionPolicy="DELETE"), "Connection"),
        "still holds the peering",
    ),
    (
        "DNSSEC with other ignored changes",
        lambda all_: [
            replace(item, ignore_changes=("dnssecMultiSigner",)) if item.type.endswith("ZoneDnssec") else item
            for item in all_
        ],
        "pending",
    ),
]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("fault", "plant", "reason"), FAULTS, ids=[fault for fault, _, _ in FAULTS])
def test_a_planted_fault_is_found(fault: str, plant: Callable[[States], States], reason: str) -> None:
    planned, created = rehearsed("prod")
    if fault == "trailing dot":
        found = obstacles(fresh("prod"), planned, plant(created))
    else:
        found = obstacles(fresh("prod"), plant(planned), [])
    assert any(reason in str(one) for one in found), found


def test_quotas_of_a_new_project_are_too_small_for_production() -> None:
    planned, created = rehearsed("prod")
    project = replace(fresh("prod"), quotas=FreshProject().quotas)
    found = " ".join(str(one) for one in obstacles(project, planned, created))
    assert "the quota SSD_TOTAL_GB is 250 in the region, and the first deployment needs 600" in found
    assert "the quota N2D_CPUS is 24 in the region, and the first deployment needs 36" in found


def test_names_that_an_earlier_deployment_left_are_taken() -> None:
    planned, created = rehearsed("prod")
    project = fresh("prod").after(created)
    assert {type_.rpartition(":")[2] for type_, _ in project.taken} == {
        "CryptoKey",
        "KeyRing",
        "WorkloadIdentityPool",
        "WorkloadIdentityPoolProvider",
    }
    found = obstacles(project, planned, created)
    assert {(type_of(one.urn), one.what.split()[2]) for one in found} == project.taken
