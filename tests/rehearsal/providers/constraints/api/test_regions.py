"""References to resources of another region."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.constraints.api.regions import references_elsewhere, region_of
from rehearsal.pulumi.properties import UNKNOWN, Path

SUBNET = "projects/p/regions/us-east1/subnetworks/s"
KEY = "projects/p/locations/us-east1/keyRings/r/cryptoKeys/k"
HERE = {"region": "europe-west1"}


def found(inputs: dict[str, Any]) -> list[Path]:
    return [path for path, _ in references_elsewhere(inputs)]


@pytest.mark.parametrize(
    ("inputs", "region"),
    [
        ({"region": "europe-west1"}, "europe-west1"),
        ({"location": "projects/p/regions/europe-west1"}, "europe-west1"),
        ({"location": "europe-west1-b"}, None),
        ({"location": "EU"}, None),
        ({"location": "global"}, None),
        ({"region": UNKNOWN, "location": "us-east1"}, "us-east1"),
        ({}, None),
    ],
)
def test_region_of_a_resource(inputs: dict[str, Any], region: str | None) -> None:
    assert region_of(inputs) == region


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({**HERE, "subnetwork": SUBNET}, ("subnetwork",)),
        ({**HERE, "networkInterfaces": [{"subnetwork": SUBNET}]}, ("networkInterfaces", 0, "subnetwork")),
        ({"location": "europe-west1", "customerManagedKey": KEY}, ("customerManagedKey",)),
        ({**HERE, "diskEncryptionKey": {"kmsKeySelfLink": KEY}}, ("diskEncryptionKey", "kmsKeySelfLink")),
        ({**HERE, "natIps": [f"https://www.googleapis.com/compute/v1/{SUBNET}"]}, ("natIps", 0)),
        ({**HERE, "locationPreference": {"zone": "us-east1-b"}}, ("locationPreference", "zone")),
    ],
)  # fmt: skip
def test_reference_to_another_region(inputs: dict[str, Any], path: Path) -> None:
    assert found(inputs) == [path]


@pytest.mark.parametrize(
    "inputs",
    [
        {"region": "us-east1", "subnetwork": SUBNET},
        {"subnetwork": SUBNET},
        {**HERE, "subnetwork": UNKNOWN},
        {**HERE, "subnetwork": "s"},
        {**HERE, "kmsKeyName": "projects/p/locations/global/keyRings/r/cryptoKeys/k"},
        {**HERE, "description": f"see {SUBNET}/"},
        {"location": "EU", "encryption": {"defaultKmsKeyName": KEY}},
        {**HERE, "locationPreference": {"zone": "europe-west1-c"}},
    ],
)
def test_reference_that_is_accepted(inputs: dict[str, Any]) -> None:
    assert found(inputs) == []
