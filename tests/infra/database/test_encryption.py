"""The key of the database: granted to Atlas only, and used before there is data."""

from __future__ import annotations

from rehearsal.pulumi.properties import unwrap
from tests.infra.rehearsal import Declared


def test_atlas_may_use_one_key_and_administer_none(prod: Declared) -> None:
    setup = unwrap(prod.state("CloudProviderAccessSetup").outputs)
    identity = setup["gcpConfigs"][0]["serviceAccountForAtlas"]
    granted = {
        (item.type.rpartition(":")[2], item.inputs.get("cryptoKeyId"), item.inputs["role"])
        for item in prod.resources
        if item.inputs.get("member") == f"serviceAccount:{identity}"
    }
    key = prod.state("CryptoKey", "keys-database").id
    assert granted == {
        ("CryptoKeyIAMMember", key, "roles/cloudkms.cryptoKeyEncrypterDecrypter"),
        ("CryptoKeyIAMMember", key, "roles/cloudkms.viewer"),
    }


def test_no_other_identity_uses_the_key_of_the_database(prod: Declared) -> None:
    key = prod.state("CryptoKey", "keys-database").id
    members = {
        grant["member"] for grant in prod.of("CryptoKeyIAMMember").values() if grant["cryptoKeyId"] == key
    }
    assert len(members) == 1
    assert "mongodb-atlas" in members.pop()


def test_atlas_encrypts_with_a_version_of_the_key(prod: Declared) -> None:
    version = prod.one("EncryptionAtRest")["googleCloudKmsConfig"]["keyVersionResourceId"]
    key, _, number = version.partition("/cryptoKeyVersions/")
    assert key == prod.state("CryptoKey", "keys-database").id
    assert number.isdecimal()


def test_encryption_waits_for_both_grants(prod: Declared) -> None:
    grants = {"CryptoKeyIAMMember database-key-use", "CryptoKeyIAMMember database-key-see"}
    assert grants <= prod.waits_for("EncryptionAtRest")
    assert grants <= prod.waits_for("CloudProviderAccessAuthorization")
