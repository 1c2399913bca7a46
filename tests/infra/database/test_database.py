"""The Atlas project and cluster: sizes, backups, protection, and the rights of the service's user."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from infra.database import AUDITED, choose
from infra.settings.types import MongoConnection
from tests.infra.rehearsal import Declared, configuration

STRINGS = {
    "standard": "mongodb://a.example.net,b.example.net",
    "standard_srv": "mongodb+srv://a.example.net",
    "private_srv": "mongodb+srv://a-pri.example.net",
    "private_endpoints": [SimpleNamespace(srv_connection_string="mongodb+srv://a-pl-0.example.net")],
}


def chosen(connection: MongoConnection, **changes: Any) -> str:
    return choose(connection, cast("Any", SimpleNamespace(**(STRINGS | changes))))


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        (MongoConnection.STANDARD, "mongodb://a.example.net,b.example.net"),
        (MongoConnection.STANDARD_SRV, "mongodb+srv://a.example.net"),
        (MongoConnection.PRIVATE, "mongodb+srv://a-pl-0.example.net"),
    ],
)
def test_pods_get_the_connection_string_of_the_setting(connection: MongoConnection, expected: str) -> None:
    assert chosen(connection) == expected


@pytest.mark.parametrize("endpoints", [None, []])
def test_without_an_endpoint_a_private_connection_does_not_become_a_public_one(endpoints: Any) -> None:
    assert chosen(MongoConnection.PRIVATE, private_endpoints=endpoints) == "mongodb+srv://a-pri.example.net"
    assert chosen(MongoConnection.PRIVATE, private_endpoints=endpoints, private_srv=None) == ""


def test_autoscaling_stays_within_the_configured_tiers(declared: Declared) -> None:
    settings = configuration(declared.stack)["kingdom:database"]
    (spec,) = declared.one("AdvancedCluster")["replicationSpecs"]
    (region,) = spec["regionConfigs"]
    scaling, members = region["autoScaling"], region["electableSpecs"]
    assert region["regionName"] == settings["region"]
    assert scaling["computeMinInstanceSize"] == members["instanceSize"] == settings["minSize"]
    assert scaling["computeMaxInstanceSize"] == settings["maxSize"]
    assert members["diskSizeGb"] == settings["diskGb"]


def test_encryption_with_the_own_key_follows_its_setting(declared: Declared) -> None:
    own = configuration(declared.stack)["kingdom:database"]["customerKey"]
    assert declared.one("AdvancedCluster")["encryptionAtRestProvider"] == ("GCP" if own else "NONE")
    assert any(item.type.endswith(":EncryptionAtRest") for item in declared.resources) is own
    assert ("EncryptionAtRest database-key" in declared.waits_for("AdvancedCluster")) is own


def test_protection_and_point_in_time_recovery_follow_their_settings(declared: Declared) -> None:
    values = configuration(declared.stack)
    protect, cluster = values["kingdom:environment"]["protect"], declared.one("AdvancedCluster")
    assert cluster["terminationProtectionEnabled"] is protect
    assert cluster["retainBackupsEnabled"] is protect
    assert declared.state("AdvancedCluster").protect is protect
    assert cluster["pitEnabled"] is values["kingdom:database"]["pointInTimeRecovery"]


def test_the_user_of_the_service_reaches_one_database_of_one_cluster(declared: Declared) -> None:
    name = configuration(declared.stack)["kingdom:database"]["name"]
    role, user = declared.one("CustomDbRole"), declared.one("DatabaseUser")
    assert role["inheritedRoles"] == [{"roleName": "readWrite", "databaseName": name}]
    assert {each["databaseName"] for action in role["actions"] for each in action["resources"]} == {name}
    assert user["roles"] == [{"roleName": role["roleName"], "databaseName": "admin"}]
    assert user["scopes"] == [{"name": declared.one("AdvancedCluster")["name"], "type": "CLUSTER"}]
    assert "password" not in user


def test_the_client_certificate_expires_as_configured(declared: Declared) -> None:
    certificate = declared.one("X509AuthenticationDatabaseUser")
    assert (
        certificate["monthsUntilExpiration"]
        == configuration(declared.stack)["kingdom:database"]["certificateMonths"]
    )
    assert certificate["username"] == declared.one("DatabaseUser")["username"]


def test_sign_ins_and_changes_of_rights_are_audited() -> None:
    audited = set(json.loads(AUDITED)["atype"]["$in"])
    for kind in ("User", "Role"):
        assert {f"create{kind}", f"update{kind}", f"drop{kind}"} <= audited
    assert {"authenticate", "grantRolesToUser", "revokeRolesFromUser", "dropCollection"} <= audited
    assert "authCheck" not in audited, "one record for each read and write"
