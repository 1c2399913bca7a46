"""The GKE cluster: protection, admitted images, upgrades, pools, and the provider that reaches it."""

from __future__ import annotations

import json
from typing import Any

from infra.cluster import kubeconfig
from infra.settings.loader import parse
from infra.settings.sizing import Sizing
from tests.infra.rehearsal import Declared, configuration

KINDS = {"cluster-on-demand": ("on_demand", "onDemand"), "cluster-spot": ("spot", "spot")}


def provider(declared: Declared) -> dict[str, Any]:
    """Inputs of the Kubernetes provider."""
    (found,) = [
        item.inputs
        for item in declared.result.snapshot.resources
        if item.type == "pulumi:providers:kubernetes"
    ]
    return dict(found)


def test_kubeconfig_holds_no_credential() -> None:
    found = json.loads(kubeconfig("gke-1.europe-west1.gke.goog"))
    (cluster,), (context,), (user,) = found["clusters"], found["contexts"], found["users"]
    assert cluster["cluster"] == {"server": "https://gke-1.europe-west1.gke.goog"}
    assert user["user"].keys() == {"exec"}
    assert user["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
    assert context["context"] == {"cluster": cluster["name"], "user": user["name"]}
    assert found["current-context"] == context["name"]


def test_deletion_protection_follows_its_setting(declared: Declared) -> None:
    protect = configuration(declared.stack)["kingdom:environment"]["protect"]
    assert declared.one("Cluster")["deletionProtection"] is protect
    assert declared.state("Cluster").protect is protect


def test_only_images_of_the_own_registry_are_admitted(declared: Declared) -> None:
    values = configuration(declared.stack)
    registry = values["kingdom:workload"]["image"]["repository"].rpartition("/")[0]
    assert registry.count("/") == 2, "host, project and repository: a shorter prefix admits other projects"
    patterns = declared.one("binaryauthorization/policy:Policy")["admissionWhitelistPatterns"]
    assert patterns == [{"namePattern": f"{registry}/*"}]


def test_upgrades_follow_the_channel_and_the_window_of_the_settings(declared: Declared) -> None:
    settings = configuration(declared.stack)["kingdom:cluster"]
    cluster, window = declared.one("Cluster"), settings["maintenance"]
    assert cluster["releaseChannel"] == {"channel": settings["releaseChannel"]}
    assert cluster["maintenancePolicy"] == {
        "recurringWindow": {
            "startTime": window["start"],
            "endTime": window["end"],
            "recurrence": window["recurrence"],
        }
    }


def test_each_pool_has_the_machines_and_bounds_of_its_kind(declared: Declared) -> None:
    values = configuration(declared.stack)
    sizing = Sizing.of(parse(declared.stack, values))
    for name, (size, key) in KINDS.items():
        pool, settings = declared.one("NodePool", name), values["kingdom:cluster"][key]
        bounds = getattr(sizing, size)
        assert pool["nodeConfig"]["machineType"] == settings["machineType"]
        assert pool["nodeConfig"]["bootDisk"]["sizeGb"] == settings["diskGb"]
        assert (pool["autoscaling"]["totalMinNodeCount"], pool["autoscaling"]["totalMaxNodeCount"]) == (
            bounds.minimum,
            bounds.maximum,
        )
        assert pool["nodeLocations"] == values["kingdom:cluster"]["zones"]


def test_secrets_in_etcd_are_encrypted_with_the_key_of_the_cluster(declared: Declared) -> None:
    key = declared.one("Cluster")["databaseEncryption"]["keyName"]
    assert key == declared.state("CryptoKey", "keys-cluster").id


def test_notices_are_stored_in_the_region_under_their_own_key(declared: Declared) -> None:
    topic = declared.one("Topic")
    assert topic["kmsKeyName"] == declared.state("CryptoKey", "keys-notices").id
    region = configuration(declared.stack)["gcp:region"]
    assert topic["messageStoragePolicy"] == {"allowedPersistenceRegions": [region]}
    assert declared.one("Cluster")["notificationConfig"]["pubsub"]["topic"] == declared.state("Topic").id


def test_cluster_waits_for_its_key_its_node_roles_and_the_admission_policy(prod: Declared) -> None:
    assert {
        "CryptoKeyIAMMember keys-cluster",
        "IAMMember cluster-nodes-node",
        "Policy cluster-admission",
    } <= prod.waits_for("Cluster")


def test_a_changed_kubeconfig_does_not_replace_the_objects_of_the_cluster(declared: Declared) -> None:
    values = configuration(declared.stack)
    expected = f"{values['gcp:project']}/{values['gcp:region']}/kingdom"
    assert provider(declared)["clusterIdentifier"] == expected


def test_a_config_map_is_updated_in_place(declared: Declared) -> None:
    assert str(provider(declared)["enableConfigMapMutable"]).lower() == "true"


def test_the_deleted_default_pool_does_not_replace_the_cluster(declared: Declared) -> None:
    assert declared.state("Cluster").ignore_changes == ("nodeConfig",)


def test_objects_of_the_cluster_wait_for_both_pools(prod: Declared) -> None:
    (found,) = [item for item in prod.result.snapshot.resources if item.type == "pulumi:providers:kubernetes"]
    assert {prod.state("NodePool", name).urn for name in KINDS} <= set(found.dependencies)
