"""Check against the types that the installed SDKs declare: every violation by its path."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.pulumi.properties import UNKNOWN, Secret
from tests.rehearsal.providers.calls import Calls, urn

REDIS = urn("gcp:redis/instance:Instance")
BUCKET = urn("gcp:storage/bucket:Bucket")
DEPLOYMENT = urn("kubernetes:apps/v1:Deployment")


def test_every_problem_is_listed_at_once_and_sorted(gcp: Calls) -> None:
    failures = gcp.check(
        REDIS,
        {
            "memorySizeGb": "four",
            "tier": "STANDARD",
            "labls": {"team": "platform"},
            "maintenancePolicy": {"weeklyMaintenanceWindows": [{"day": "MONDY", "startTime": {"hours": []}}]},
        },
    ).failures
    assert list(failures) == [
        "labls",
        "maintenancePolicy.weeklyMaintenanceWindows[0].day",
        "maintenancePolicy.weeklyMaintenanceWindows[0].startTime.hours",
        "memorySizeGb",
        "tier",
    ]
    assert 'did you mean "labels"?' in failures["labls"]
    assert 'did you mean "MONDAY"?' in failures["maintenancePolicy.weeklyMaintenanceWindows[0].day"]
    assert failures["memorySizeGb"] == "expected an integer, got the string 'four'"
    assert '"BASIC", "STANDARD_HA"' in failures["tier"]


def test_a_missing_required_property_is_named(gcp: Calls) -> None:
    assert gcp.check(REDIS, {}).failures == {"memorySizeGb": "missing required property"}


def test_null_counts_as_missing(gcp: Calls) -> None:
    assert gcp.check(REDIS, {"memorySizeGb": None}).failures == {"memorySizeGb": "missing required property"}


def test_a_name_in_snake_case_gets_its_camel_case_suggested(gcp: Calls) -> None:
    failures = gcp.check(BUCKET, {"location": "EU", "storage_class": "STANDARD"}).failures
    assert failures == {"storage_class": 'unknown property (did you mean "storageClass"?)'}


def test_nested_objects_lists_and_maps_are_checked(kubernetes: Calls) -> None:
    container = {"name": "api", "image": 7, "ports": [{"containerPort": "http"}], "env": {"name": "A"}}
    labels = {"app": "api", "generation": 3}
    failures = kubernetes.check(
        DEPLOYMENT,
        {
            "spec": {
                "selector": {"matchLabels": {"app": "api"}},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            }
        },
    ).failures
    assert failures == {
        "spec.template.metadata.labels.generation": "expected a string, got the number 3",
        "spec.template.spec.containers[0].env": "expected a list, got an object",
        "spec.template.spec.containers[0].image": "expected a string, got the number 7",
        "spec.template.spec.containers[0].ports[0].containerPort": (
            "expected an integer, got the string 'http'"
        ),
    }


def test_a_required_field_of_a_nested_object_is_required(kubernetes: Calls) -> None:
    failures = kubernetes.check(DEPLOYMENT, {"spec": {"template": {"spec": {"containers": [{}]}}}}).failures
    assert failures == {
        "spec.selector": "missing required property",
        "spec.template.spec.containers[0].image": "missing required property",
        "spec.template.spec.containers[0].name": "missing required property",
    }


@pytest.mark.parametrize("unknown", [UNKNOWN, Secret(UNKNOWN)])
def test_an_unknown_value_fits_everywhere(gcp: Calls, kubernetes: Calls, unknown: Any) -> None:
    assert not gcp.check(REDIS, {"memorySizeGb": unknown, "tier": unknown, "labels": unknown}).failures
    spec = {"selector": unknown, "template": {"spec": {"containers": unknown}}}
    assert not kubernetes.check(DEPLOYMENT, {"spec": spec}).failures


def test_a_secret_is_checked_and_never_quoted(gcp: Calls) -> None:
    failures = gcp.check(
        REDIS, {"memorySizeGb": Secret("hunter2"), "tier": Secret("hunter2"), "region": Secret("hunter2")}
    ).failures
    assert set(failures) == {"memorySizeGb", "tier"}
    assert not any("hunter2" in reason for reason in failures.values())


def test_the_bridge_takes_numbers_and_booleans_written_as_text(gcp: Calls) -> None:
    checked = gcp.check(REDIS, {"memorySizeGb": "4", "authEnabled": "true", "labels": {"tier": 2}})
    assert not checked.failures
    assert checked.inputs["memorySizeGb"] == 4
    assert checked.inputs["authEnabled"] is True
    assert checked.inputs["labels"] == {"tier": "2"}


def test_kubernetes_takes_no_number_written_as_text(kubernetes: Calls) -> None:
    failures = kubernetes.check(
        urn("kubernetes:core/v1:Service"), {"spec": {"ports": [{"port": "80", "targetPort": "http"}]}}
    ).failures
    assert failures == {"spec.ports[0].port": "expected an integer, got the string '80'"}


def test_a_property_that_may_be_number_or_text_takes_both(kubernetes: Calls) -> None:
    for target in (8080, "http"):
        spec = {"ports": [{"port": 80, "targetPort": target}]}
        assert not kubernetes.check(urn("kubernetes:core/v1:Service"), {"spec": spec}).failures


def test_an_enumeration_of_the_sdk_is_closed(kubernetes: Calls) -> None:
    failures = kubernetes.check(
        urn("kubernetes:core/v1:Service"), {"spec": {"type": "Loadbalancer"}}
    ).failures
    assert 'did you mean "LoadBalancer"?' in failures["spec.type"]


def test_values_that_only_the_documentation_lists_are_closed_too(cloudflare: Calls) -> None:
    zone = "372e67954025e0ba6aaa6d586b9e0b59"
    inputs: dict[str, Any] = {"zoneId": zone, "name": "rates", "kind": "zone", "rules": []}
    ruleset = urn("cloudflare:index/ruleset:Ruleset")
    assert not cloudflare.check(ruleset, {**inputs, "phase": "http_ratelimit"}).failures
    failures = cloudflare.check(ruleset, {**inputs, "phase": "http_ratelimits"}).failures
    assert 'did you mean "http_ratelimit"?' in failures["phase"]


def test_a_type_that_no_sdk_has_is_refused_with_its_name(gcp: Calls) -> None:
    failures = gcp.check(urn("gcp:redis/instnce:Instnce"), {}).failures
    assert "gcp:redis/instnce:Instnce" in failures[""]


@pytest.mark.parametrize("junk", [0, True, "text", [], {}, [None], {"a": [{}]}, 1.5])
def test_nonsense_of_any_shape_is_reported_not_raised(gcp: Calls, kubernetes: Calls, junk: Any) -> None:
    assert gcp.check(REDIS, {"memorySizeGb": 1, "maintenancePolicy": junk, "nope": junk}).failures
    assert kubernetes.check(DEPLOYMENT, {"metadata": junk, "spec": junk, "nope": junk}).failures
