"""Changed properties, and whether they need an update or a replacement."""

from __future__ import annotations

import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.providers.diff import forces_replacement, patterns
from rehearsal.pulumi.properties import UNKNOWN, Secret
from tests.rehearsal.providers.calls import Calls, paths, urn

REDIS = urn("gcp:redis/instance:Instance")
INSTANCE = {"name": "cache", "memorySizeGb": 4, "tier": "STANDARD_HA", "region": "europe-west1"}


def test_identical_inputs_have_no_difference(gcp: Calls) -> None:
    response = gcp.diff(REDIS, INSTANCE, INSTANCE)
    assert response.changes == provider_pb2.DiffResponse.DIFF_NONE
    assert not response.detailedDiff


def test_secretness_alone_is_not_a_difference(gcp: Calls) -> None:
    assert not gcp.diff(REDIS, INSTANCE, {**INSTANCE, "tier": Secret("STANDARD_HA")}).diffs


def test_a_property_that_can_change_in_place_updates(gcp: Calls) -> None:
    response = gcp.diff(REDIS, INSTANCE, {**INSTANCE, "memorySizeGb": 8, "labels": {"a": "b"}})
    assert paths(response) == {"memorySizeGb": "UPDATE", "labels": "ADD"}
    assert list(response.diffs) == ["labels", "memorySizeGb"]
    assert not response.replaces


def test_a_fixed_property_replaces_and_the_old_resource_of_that_name_is_deleted_first(gcp: Calls) -> None:
    response = gcp.diff(REDIS, INSTANCE, {**INSTANCE, "tier": "BASIC"})
    assert paths(response) == {"tier": "UPDATE_REPLACE"}
    assert list(response.replaces) == ["tier"]
    assert response.deleteBeforeReplace


def test_a_generated_name_creates_the_new_resource_first(gcp: Calls) -> None:
    inputs = gcp.check(REDIS, {"memorySizeGb": 4, "tier": "STANDARD_HA"}).inputs
    response = gcp.diff(REDIS, inputs, {**inputs, "tier": "BASIC"})
    assert list(response.replaces) == ["tier"]
    assert not response.deleteBeforeReplace


def test_a_generated_name_is_retained_by_an_update_but_not_by_a_replacement(gcp: Calls) -> None:
    first = gcp.check(REDIS, {"memorySizeGb": 4, "tier": "STANDARD_HA"}).inputs
    updated = gcp.check(REDIS, {"memorySizeGb": 8, "tier": "STANDARD_HA"}, olds=first).inputs
    replaced = gcp.check(REDIS, {"memorySizeGb": 8, "tier": "BASIC"}).inputs
    assert updated["name"] == first["name"]
    assert replaced["name"] != first["name"]


def test_ignored_changes_are_not_reported(gcp: Calls) -> None:
    new = {**INSTANCE, "memorySizeGb": 8, "labels": {"a": "b"}}
    assert paths(gcp.diff(REDIS, INSTANCE, new, ignore=("memorySizeGb",))) == {"labels": "ADD"}
    assert not gcp.diff(REDIS, INSTANCE, new, ignore=("memorySizeGb", "labels")).diffs


def test_an_unknown_value_is_a_difference(gcp: Calls) -> None:
    assert paths(gcp.diff(REDIS, INSTANCE, {**INSTANCE, "memorySizeGb": UNKNOWN})) == {
        "memorySizeGb": "UPDATE"
    }


def test_an_added_block_replaces_when_it_holds_a_fixed_property(gcp: Calls) -> None:
    pool = urn("gcp:container/nodePool:NodePool")
    old = {"cluster": "c", "name": "p"}
    harmless = gcp.diff(pool, old, {**old, "nodeConfig": {"machineType": "e2-small"}})
    fixed = gcp.diff(pool, old, {**old, "nodeConfig": {"spot": True}})
    assert paths(harmless) == {"nodeConfig": "ADD"}
    assert paths(fixed) == {"nodeConfig": "ADD_REPLACE"}


@pytest.mark.parametrize(
    ("type_", "path", "old", "new", "replaces"),
    [
        ("gcp:compute/subnetwork:Subnetwork", "ipCidrRange", "10.0.0.0/20", "10.0.0.0/19", False),
        ("gcp:compute/network:Network", "autoCreateSubnetworks", False, True, True),
        ("gcp:secretmanager/secretVersion:SecretVersion", "secretData", "a", "b", True),
        ("gcp:storage/bucket:Bucket", "location", "EU", "US", True),
        ("gcp:storage/bucket:Bucket", "storageClass", "STANDARD", "NEARLINE", False),
        ("gcp:projects/iAMMember:IAMMember", "role", "roles/a", "roles/b", True),
        ("mongodbatlas:index/advancedCluster:AdvancedCluster", "backupEnabled", False, True, False),
        ("mongodbatlas:index/databaseUser:DatabaseUser", "username", "a", "b", True),
        ("cloudflare:index/dnsRecord:DnsRecord", "content", "1.2.3.4", "1.2.3.5", False),
        ("cloudflare:index/dnsRecord:DnsRecord", "type", "A", "AAAA", True),
        ("cloudflare:index/ruleset:Ruleset", "phase", "http_ratelimit", "http_config_settings", True),
        ("random:index/randomBytes:RandomBytes", "length", 32, 64, True),
    ],
)
def test_replacing_properties_are_those_of_the_real_providers(
    type_: str, path: str, old: object, new: object, *, replaces: bool
) -> None:
    response = Calls.of(type_.split(":")[0]).diff(urn(type_), {path: old}, {path: new})
    assert bool(response.replaces) is replaces


def test_every_top_level_name_in_diffs_has_a_detailed_path_and_the_other_way_round(gcp: Calls) -> None:
    new = {"memorySizeGb": 5, "maintenancePolicy": {"description": "x"}, "labels": {"a.b": "c"}}
    response = gcp.diff(REDIS, INSTANCE, new)
    assert {path.split(".")[0].split("[")[0] for path in paths(response)} == set(response.diffs)


def test_fixed_property_below_a_value_of_another_shape_replaces() -> None:
    fixed = patterns("a.b")
    for old in ([1], "text", None, Secret({"b": 1})):
        assert forces_replacement(("a", "b"), {"a": old}, {"a": {"b": 2}}, fixed)
        assert not forces_replacement(("a", "c"), {"a": old}, {"a": {"c": 2}}, fixed)
    assert forces_replacement(("a",), {"a": [1]}, {"a": {"b": 2}}, fixed)
    assert not forces_replacement(("a", 1), {"a": [{"c": 1}]}, {"a": [{"c": 1}, {"c": 2}]}, fixed)
