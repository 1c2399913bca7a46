"""Encryption keys of production: rotation, protection, and one key per kind of data."""

from __future__ import annotations

from tests.infra.rehearsal import Declared


def test_every_key_rotates_within_90_days_in_an_hsm(prod: Declared) -> None:
    for name, key in prod.of("CryptoKey").items():
        assert key["versionTemplate"]["protectionLevel"] == "HSM", name
        assert int(key["rotationPeriod"].removesuffix("s")) <= 90 * 86_400, name


def test_a_destroyed_key_version_can_be_restored_for_30_days(prod: Declared) -> None:
    assert {key["destroyScheduledDuration"] for key in prod.of("CryptoKey").values()} == {f"{30 * 86_400}s"}


def test_keys_are_in_the_location_of_the_data(prod: Declared) -> None:
    rings = {name: key["keyRing"] for name, key in prod.of("CryptoKey").items()}
    assert "/locations/europe/" in rings["keys-media"], "the bucket is multi-regional"
    assert "/locations/europe-west1/" in rings["keys-cache"]


def test_redis_and_the_bucket_use_their_keys(prod: Declared) -> None:
    for redis in prod.of("Instance").values():
        assert redis["customerManagedKey"].endswith("/cryptoKeys/cache")
    assert prod.one("Bucket", "storage")["encryption"]["defaultKmsKeyName"].endswith("/cryptoKeys/media")
