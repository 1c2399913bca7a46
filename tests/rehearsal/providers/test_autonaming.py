"""Generated physical names."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.providers import provider
from rehearsal.providers.autonaming import Preference, autoname
from rehearsal.providers.base import Cloud
from rehearsal.providers.validation import DEFAULTS_KEY
from rehearsal.pulumi.properties import decode, encode
from tests.rehearsal.providers.calls import urn

BUCKET, ACCOUNT = "gcp:storage/bucket:Bucket", "gcp:serviceaccount/account:Account"


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    return provider("gcp")


def named(
    cloud: Cloud,
    inputs: dict[str, Any],
    olds: dict[str, Any] | None = None,
    preferred: Preference | None = None,
) -> dict[str, Any]:
    return autoname(cloud, urn(BUCKET, "media"), BUCKET, inputs, olds or {}, preferred=preferred)


def test_missing_name_is_the_logical_name_and_seven_digits(cloud: Cloud) -> None:
    found = named(cloud, {"location": "EU"})
    assert re.fullmatch(r"media-[0-9a-f]{7}", found["name"])
    assert found[DEFAULTS_KEY] == ["name"]
    assert named(cloud, {"location": "EU"}) == found
    assert named(cloud, {"location": "US"})["name"] != found["name"]


def test_generated_name_of_the_recorded_resource_stays(cloud: Cloud) -> None:
    olds = {"name": "media-1234567", DEFAULTS_KEY: ["name"]}
    assert named(cloud, {"location": "US"}, olds)["name"] == "media-1234567"
    assert named(cloud, {"location": "US"}, {"name": "given"})["name"] != "given"


def test_given_name_is_unchanged(cloud: Cloud) -> None:
    inputs = {"name": "given", "location": "EU"}
    assert named(cloud, inputs, {"name": "media-1234567", DEFAULTS_KEY: ["name"]}) is inputs


@pytest.mark.parametrize("token", [ACCOUNT, "gcp:storage/bucket:Unknown"])
def test_type_without_an_optional_name_is_given_none(cloud: Cloud, token: str) -> None:
    inputs = {"accountId": "deployer"}
    assert autoname(cloud, urn(token), token, inputs, {}) is inputs


def test_preferred_name_takes_the_place_of_the_generated_one(cloud: Cloud) -> None:
    preferred = Preference("ours-media")
    assert named(cloud, {"location": "EU"}, preferred=preferred) == {
        "location": "EU",
        "name": "ours-media",
        DEFAULTS_KEY: ["name"],
    }
    olds = {"name": "media-1234567", DEFAULTS_KEY: ["name"]}
    assert named(cloud, {"location": "US"}, olds, preferred)["name"] == "media-1234567"


def test_resource_needs_a_name_where_none_may_be_generated(cloud: Cloud) -> None:
    with pytest.raises(ValueError, match="automatic naming is disabled"):
        named(cloud, {"location": "EU"}, preferred=Preference(disabled=True))
    assert named(cloud, {"name": "given"}, preferred=Preference(disabled=True))["name"] == "given"


def test_proposed_name_must_not_be_too_long_and_an_enforced_one_may_be() -> None:
    with pytest.raises(ValueError, match="exceeds maximum length of 4"):
        Preference("media").within(4)
    assert Preference("media", enforced=True).within(4) == "media"


@pytest.mark.parametrize(
    ("package", "token", "inputs"),
    [
        ("gcp", BUCKET, {"location": "EU"}),
        ("kubernetes", "kubernetes:core/v1:ConfigMap", {"apiVersion": "v1", "kind": "ConfigMap"}),
        ("kubernetes", "kubernetes:helm.sh/v3:Release", {"chart": "nginx"}),
    ],
)
def test_check_takes_the_name_that_the_engine_proposes(
    package: str, token: str, inputs: dict[str, Any]
) -> None:
    modes = provider_pb2.CheckRequest.AutonamingOptions
    request = provider_pb2.CheckRequest(
        urn=urn(token, "media"), type=token, news=encode(inputs), autonaming=modes(proposed_name="our-media")
    )
    found = decode(provider(package).Check(request).inputs)
    assert (found.get("metadata") or found)["name"] == "our-media"
    request.autonaming.CopyFrom(modes(mode=modes.DISABLE))
    assert "disabled" in provider(package).Check(request).failures[0].reason
