"""Outputs of simulated resources: precedence, nested computed values, and values by name and type."""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from uuid import UUID

import pytest

from rehearsal.providers.outputs import Place, make_up, preview, synthesize, text
from rehearsal.providers.schema import Choice, ListOf, MapOf, OneOf, ResourceType, Scalar, Type, resource_type
from rehearsal.pulumi.properties import UNKNOWN, Secret

PLACE = Place("kingdom-test", "europe-west1")


@pytest.fixture(scope="module")
def redis() -> ResourceType:
    found = resource_type("gcp:redis/instance:Instance")
    assert found is not None
    return found


def outputs(redis: ResourceType, inputs: dict[str, Any], **curated: Any) -> dict[str, Any]:
    return synthesize(redis, {"memorySizeGb": 4} | inputs, curated, "seed", PLACE)


def test_curated_value_precedes_the_input_and_the_input_the_default(redis: ResourceType) -> None:
    assert outputs(redis, {})["connectMode"] == "DIRECT_PEERING"
    assert outputs(redis, {"connectMode": "PRIVATE"})["connectMode"] == "PRIVATE"
    assert outputs(redis, {"connectMode": "PRIVATE"}, connectMode="CURATED")["connectMode"] == "CURATED"
    assert outputs(redis, {"connectMode": "PRIVATE"}, connectMode=None)["connectMode"] == "PRIVATE"


def test_optional_outputs_are_absent_and_others_are_generated(redis: ResourceType) -> None:
    found = outputs(redis, {})
    assert "displayName" not in found
    assert ipaddress.ip_address(found["host"])
    assert found["project"] == "kingdom-test"
    assert outputs(redis, {}) == found
    assert synthesize(redis, {}, {}, "other", PLACE)["host"] != found["host"]


def test_required_fields_are_added_to_given_objects() -> None:
    cluster = resource_type("gcp:container/cluster:Cluster")
    assert cluster is not None

    def auth(given: Any) -> Any:
        return synthesize(cluster, {"masterAuth": given}, {}, "seed", PLACE)["masterAuth"]

    found = {"clientCertificateConfig": {"issueClientCertificate": False}}
    assert auth({"clientCertificateConfig": {}}) == found
    assert auth(Secret({"clientCertificateConfig": {}})) == Secret(found)
    enabled = {"clientCertificateConfig": {"issueClientCertificate": True}}
    assert auth(enabled) == enabled


def planned(
    redis: ResourceType, inputs: dict[str, Any], curated: Any = None, settled: Any = None
) -> dict[str, Any]:
    return preview(redis, inputs, curated or {}, settled or {})


def test_inputs_and_defaults_are_known_in_a_preview_and_computed_values_are_not(redis: ResourceType) -> None:
    found = planned(redis, {"memorySizeGb": 4})
    assert (found["memorySizeGb"], found["connectMode"], found["host"]) == (4, "DIRECT_PEERING", UNKNOWN)
    assert "displayName" not in found
    assert planned(redis, {}, settled={"host": "10.0.0.1"})["host"] == "10.0.0.1"
    assert planned(redis, {}, {"displayName": "made"})["displayName"] is UNKNOWN


def test_curated_parts_of_a_given_object_are_unknown_in_a_preview(redis: ResourceType) -> None:
    given = {"labels": {"a": "1"}, "secondaryIpRange": "x"}
    curated = {"labels": {"a": "1", "b": "made"}, "secondaryIpRange": "y"}
    found = planned(redis, given, curated)
    assert found["labels"] == {"a": "1", "b": UNKNOWN}
    assert found["secondaryIpRange"] == "x"


@pytest.mark.parametrize(
    ("given", "made", "expected"),
    [
        ([{"a": 1}], [{"a": 1, "b": 2}], [{"a": 1, "b": UNKNOWN}]),
        ([{"a": 1}], [{"b": 2}, {}], [{"a": 1}]),
    ],
)
def test_lists_are_compared_item_by_item_if_they_have_one_length(
    redis: ResourceType, given: Any, made: Any, expected: Any
) -> None:
    assert planned(redis, {"nodes": given}, {"nodes": made})["nodes"] == expected


@pytest.mark.parametrize(
    ("declared", "name", "value"),
    [
        (Scalar("integer"), "count", 0),
        (Scalar("integer"), "readEndpointPort", 443),
        (Scalar("number"), "share", 0.0),
        (Scalar("boolean"), "enabled", False),
        (Choice(("A", "B")), "mode", "A"),
        (OneOf((Scalar("boolean"), Scalar("string"))), "flag", False),
        (ListOf(Scalar("string")), "names", []),
        (MapOf(Scalar("string")), "labels", {}),
    ],
)
def test_value_is_generated_by_its_type(declared: Type, name: str, value: Any) -> None:
    assert make_up(declared, name, "seed", PLACE, 0) == value


def test_computed_list_of_objects_has_one_up_to_the_depth(redis: ResourceType) -> None:
    declared = redis.outputs["serverCaCerts"].type
    [certificate] = make_up(declared, "serverCaCerts", "seed", PLACE, 0)
    assert "BEGIN CERTIFICATE" in certificate.get("cert", "BEGIN CERTIFICATE")
    assert make_up(declared, "serverCaCerts", "seed", PLACE, 6) == []


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("project", "kingdom-test"),
        ("location", "europe-west1"),
        ("zone", "europe-west1-b"),
        ("id", r"[0-9a-f]{32}"),
        ("createTime", r"2026-.*Z"),
        ("creationTimestamp", r"2026-.*Z"),
        ("modifiedOn", r"2026-.*Z"),
        ("labelFingerprint", r"[\w+/=]{12}"),
        ("externalIpv6Prefix", ""),
        ("ipCidrRange", r"10\.\d+\.\d+\.0/24"),
        ("ipAddress", r"10\.\d+\.\d+\.\d+"),
        ("clientEmail", r"s\d{10}@kingdom-test\.iam\.gserviceaccount\.com"),
        ("selfLink", r"https://rehearsal\.invalid/[0-9a-f]{16}"),
        ("lastError", ""),
        ("state", "ACTIVE"),
        ("schemaVersion", "1"),
        ("anything", r"[0-9a-f]{16}"),
    ],
)
def test_text_has_the_form_that_its_name_suggests(name: str, pattern: str) -> None:
    assert re.fullmatch(pattern, text(name, "seed", PLACE))
    assert text(name, "seed", PLACE) == text(name, "seed", PLACE)


def test_zone_of_the_provider_is_used_and_uids_are_uuids() -> None:
    assert text("zone", "seed", Place(zone="us-east1-c")) == "us-east1-c"
    assert UUID(text("uid", "seed", PLACE))
    assert text("email", "seed", Place()).endswith("@rehearsal.iam.gserviceaccount.com")
