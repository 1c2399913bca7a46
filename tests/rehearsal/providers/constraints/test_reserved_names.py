"""Names that stay reserved after a deletion, and replacements that would need them."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.constraints.reserved_names import recreated_name, reserved_names
from rehearsal.providers.schema import resource_type
from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.providers.calls import Calls, urn

KEY = "gcp:kms/cryptoKey:CryptoKey"
BUCKET = "gcp:logging/projectBucketConfig:ProjectBucketConfig"
RING = "projects/p/locations/global/keyRings/main"


def test_every_type_is_of_the_sdk_has_its_properties_and_a_source() -> None:
    for token, reserved in reserved_names().items():
        declared = resource_type(token)
        assert declared is not None, token
        assert set(reserved.properties) <= declared.inputs.fields.keys(), token
        assert reserved.source.startswith("https://"), token
        assert reserved.restore


@pytest.mark.parametrize(
    ("token", "inputs", "name"),
    [
        ("gcp:kms/keyRing:KeyRing", {"name": "main"}, "main"),
        (KEY, {"keyRing": RING, "name": "media"}, "main/media"),
        (KEY, {"keyRing": UNKNOWN, "name": "media"}, None),
        (KEY, {"name": "media"}, None),
        (BUCKET, {"bucketId": "audit"}, "audit"),
        (BUCKET, {"bucketId": "_Default"}, None),
    ],
)
def test_name_is_that_of_the_resource_in_its_parent(
    token: str, inputs: dict[str, Any], name: str | None
) -> None:
    assert reserved_names()[token].of(inputs) == name


def test_duration_is_in_days_or_permanent() -> None:
    assert reserved_names()[BUCKET].duration == "for 7 days"
    assert reserved_names()[KEY].duration == "permanently"


OLD = {"keyRing": RING, "name": "media", "purpose": "ENCRYPT_DECRYPT"}


SIGNING = OLD | {"purpose": "MAC", "versionTemplate": {"algorithm": "HMAC_SHA256"}}


def test_key_cannot_be_replaced_under_its_name(gcp: Calls) -> None:
    failures = gcp.check(urn(KEY), SIGNING, OLD).failures
    assert list(failures) == ["purpose"]
    assert "main/media stays taken permanently" in failures["purpose"]
    assert "the Google Cloud API validates this" in failures["purpose"]


@pytest.mark.parametrize(
    "new",
    [
        SIGNING | {"name": "signing"},
        OLD | {"keyRing": RING + "2"},
        OLD | {"rotationPeriod": "7776000s"},
        OLD | {"labels": {"a": "b"}},
    ],
)
def test_key_with_another_name_and_an_update_in_place_are_accepted(gcp: Calls, new: dict[str, Any]) -> None:
    assert not gcp.check(urn(KEY), new, OLD).failures


def test_bucket_in_another_location_is_another_one() -> None:
    old = {"bucketId": "audit", "location": "global"}
    assert recreated_name(BUCKET, old, old) is not None
    assert recreated_name(BUCKET, old | {"location": "europe-west1"}, old) is None
    assert recreated_name("gcp:redis/instance:Instance", {"name": "a"}, {"name": "a"}) is None
