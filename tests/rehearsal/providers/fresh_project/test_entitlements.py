"""Values that an API refuses or changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rehearsal.engine.state import ResourceState
from rehearsal.providers.fresh_project import entitlements
from rehearsal.providers.fresh_project.model import FreshProject
from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.providers.fresh_project.test_model import plan_of, resource

CLUSTER, NETWORK = "gcp:container/cluster:Cluster", "gcp:compute/network:Network"
RECORD, DNSSEC = "cloudflare:index/dnsRecord:DnsRecord", "cloudflare:index/zoneDnssec:ZoneDnssec"
POLICY = "mongodbatlas:index/backupCompliancePolicy:BackupCompliancePolicy"
SCHEDULE = "mongodbatlas:index/cloudBackupSchedule:CloudBackupSchedule"
TIERED = "cloudflare:index/regionalTieredCache:RegionalTieredCache"


def test_names_of_a_new_project_and_of_earlier_resources_are_taken() -> None:
    ring = resource("ring", type_="gcp:kms/keyRing:KeyRing", inputs={"name": "main"})
    network = resource("network", type_=NETWORK, inputs={"name": "default"})
    project = FreshProject(taken=frozenset({("gcp:kms/keyRing:KeyRing", "main")}))
    found = [item.urn for item in entitlements.names(project, plan_of(ring, network))]
    assert found == [network.urn, ring.urn]
    assert list(entitlements.names(FreshProject(networks=frozenset()), plan_of(ring, network))) == []


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"minMasterVersion": "1.36.1-gke.1", "releaseChannel": {}}, "leaves the release channel"),
        (
            {"minMasterVersion": "1.36.1", "releaseChannel": {"channel": "STABLE"}},
            "leaves the release channel",
        ),
        ({"nodeVersion": "1.36.1-gke.1", "releaseChannel": {}}, "nodeVersion"),
        ({"securityPostureConfig": {"vulnerabilityMode": "VULNERABILITY_BASIC"}}, "no longer offers"),
        (
            {
                "controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enabled": False}},
                "masterAuthorizedNetworksConfig": {},
            },
            "never sent",
        ),
        ({"nodePoolAutoConfig": {}}, "auto-provisioned pools only"),
        ({"nodePoolAutoConfig": {}, "clusterAutoscaling": {"enabled": False}}, "auto-provisioned pools only"),
        ({"clusterAutoscaling": {"autoProvisioningDefaults": {}}}, "auto-provisioned pools only"),
        ({"minMasterVersion": "1.36.1-gke.1", "enableAutopilot": True}, "leaves the release channel"),
    ],
)
def test_setting_of_a_cluster_that_gke_refuses(inputs: dict[str, Any], reason: str) -> None:
    [found] = entitlements.cluster(plan_of(resource("c", type_=CLUSTER, inputs=inputs)))
    assert reason in found.what


@pytest.mark.parametrize(
    "inputs",
    [
        {"minMasterVersion": "1.36.1-gke.1"},
        {"minMasterVersion": "1.36", "releaseChannel": {}},
        {"minMasterVersion": "latest", "releaseChannel": {}},
        {"minMasterVersion": UNKNOWN, "releaseChannel": {}},
        {"minMasterVersion": "1.36.1-gke.1", "releaseChannel": {"channel": "UNSPECIFIED"}},
        {"securityPostureConfig": {"vulnerabilityMode": "VULNERABILITY_DISABLED"}},
        {
            "controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enabled": True}},
            "masterAuthorizedNetworksConfig": {},
        },
        {"controlPlaneEndpointsConfig": UNKNOWN, "masterAuthorizedNetworksConfig": {}},
        {"nodePoolAutoConfig": {}, "clusterAutoscaling": {"enabled": True}},
        {"clusterAutoscaling": {"enabled": True, "autoProvisioningDefaults": {}}},
        {"nodePoolAutoConfig": {}, "enableAutopilot": True},
    ],
)
def test_other_settings_of_a_cluster_are_accepted(inputs: dict[str, Any]) -> None:
    assert list(entitlements.cluster(plan_of(resource("c", type_=CLUSTER, inputs=inputs)))) == []


@pytest.mark.parametrize(("mode", "found"), [("VULNERABILITY_BASIC", 1), ("VULNERABILITY_DISABLED", 0)])
def test_scan_of_a_fleet_is_one_of_its_clusters(mode: str, found: int) -> None:
    defaults = {"defaultClusterConfig": {"securityPostureConfig": {"vulnerabilityMode": mode}}}
    fleet = resource("fleet", type_="gcp:gkehub/fleet:Fleet", inputs=defaults)
    assert len(list(entitlements.cluster(plan_of(fleet)))) == found


@pytest.mark.parametrize(("channel", "found"), [({"channel": "REGULAR"}, 1), (None, 0)])
def test_a_pool_of_a_cluster_with_a_channel_names_no_patch(channel: Any, found: int) -> None:
    cluster = resource("c", type_=CLUSTER, inputs={"releaseChannel": channel})
    pool = resource("p", type_="gcp:container/nodePool:NodePool", inputs={"version": "1.37.1-gke.100"})
    minor = resource("m", type_="gcp:container/nodePool:NodePool", inputs={"version": "1.37"})
    assert [item.urn for item in entitlements.cluster(plan_of(pool, cluster, minor))] == [pool.urn] * found


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("1.36", 1), ("1.36.3-gke.1766999", 1), ("1.36.3-gke.1767000", 0), ("1.37", 0), ("2", 0),
        ("latest", 0), (UNKNOWN, 0),
    ],
)  # fmt: skip
def test_every_allowed_version_must_have_the_features_of_the_manifests(version: Any, found: int) -> None:
    policy = resource("policy", inputs={"spec": {"affinity": [{"type": "STRONG_COOKIE_AFFINITY"}]}})
    other = resource("other", inputs={"spec": {"type": "CLIENT_IP"}})
    cluster = resource("c", type_=CLUSTER, inputs={"minMasterVersion": version})
    assert len(list(entitlements.features(plan_of(cluster, policy)))) == found
    assert list(entitlements.features(plan_of(cluster, other))) == []


@pytest.mark.parametrize(("plan", "found"), [("pro", 1), ("business", 1), ("enterprise", 0)])
def test_setting_of_the_enterprise_plan(plan: str, found: int) -> None:
    resources = plan_of(resource("tiered", type_=TIERED))
    assert len(list(entitlements.edge(FreshProject(plan=plan), resources))) == found


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        ({"proxied": True, "ttl": 300}, 1),
        ({"proxied": True, "ttl": 1}, 0),
        ({"proxied": True}, 0),
        ({"proxied": True, "ttl": UNKNOWN}, 0),
        ({"proxied": False, "ttl": 300}, 0),
        ({"content": "a.example."}, 1),
        ({"name": "a.example.", "content": "b.example."}, 2),
        ({"content": "."}, 0),
        ({"content": "The end.", "type": "TXT"}, 0),
        ({"content": "mail.example.", "type": "MX"}, 1),
        ({"data": {"target": "sip.example."}, "type": "SRV"}, 1),
        ({"data": {"target": "."}, "type": "SRV"}, 0),
        ({"content": UNKNOWN}, 0),
    ],
)
def test_values_of_a_record_that_cloudflare_changes(inputs: dict[str, Any], found: int) -> None:
    for type_ in (RECORD, "cloudflare:index/record:Record"):
        resources = plan_of(resource("record", type_=type_, inputs=inputs))
        assert len(list(entitlements.edge(FreshProject(), resources))) == found


def test_dnssec_stays_pending_unless_changes_of_its_status_are_ignored() -> None:
    def found(status: str, *ignored: str) -> int:
        one = resource("dnssec", type_=DNSSEC, inputs={"status": status}, ignore_changes=ignored)
        return len(list(entitlements.edge(FreshProject(), plan_of(one))))

    assert (found("active"), found("active", "status"), found("disabled")) == (1, 0, 0)


def test_destroy_deletes_neither_a_compliance_policy_nor_a_schedule_under_one() -> None:
    def found(*resources: ResourceState) -> list[str]:
        return [item.urn for item in entitlements.teardown(plan_of(*resources))]

    def schedule(**inputs: Any) -> ResourceState:
        return resource("schedule", type_=SCHEDULE, inputs={"projectId": "a", **inputs})

    policy = resource("policy", type_=POLICY, inputs={"projectId": "a"})
    retained = replace(policy, retain_on_delete=True)
    assert found(schedule()) == []
    assert found(policy, schedule()) == [policy.urn, schedule().urn]
    assert found(retained, schedule(skipDestroy=False)) == [schedule().urn]
    assert found(retained, schedule(projectId=UNKNOWN)) == [schedule().urn]
    assert found(retained, schedule(projectId="b")) == []
    assert found(retained, schedule(skipDestroy=True)) == []


@pytest.mark.parametrize(("policy", "found"), [(None, 1), ("DELETE", 1), ("ABANDON", 0)])
def test_peering_must_be_abandoned(policy: str | None, found: int) -> None:
    inputs = {"deletionPolicy": policy}
    one = resource("peering", type_="gcp:servicenetworking/connection:Connection", inputs=inputs)
    assert len(list(entitlements.teardown(plan_of(one)))) == found
