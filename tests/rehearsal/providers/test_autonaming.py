"""Generated physical names."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rehearsal.providers import provider
from rehearsal.providers.autonaming import autoname
from rehearsal.providers.base import Cloud
from rehearsal.providers.validation import DEFAULTS_KEY
from tests.rehearsal.providers.calls import urn

BUCKET, ACCOUNT = "gcp:storage/bucket:Bucket", "gcp:serviceaccount/account:Account"


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    return provider("gcp")


def named(cloud: Cloud, inputs: dict[str, Any], olds: dict[str, Any] | None = None) -> dict[str, Any]:
    return autoname(cloud, urn(BUCKET, "media"), BUCKET, inputs, olds or {})


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
