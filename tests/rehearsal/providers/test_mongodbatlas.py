"""Atlas: connection strings, entries of access lists, and protected clusters."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rehearsal.providers import provider
from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi.properties import Secret, unwrap
from tests.rehearsal.providers.calls import Calls, urn

CLUSTER = urn("mongodbatlas:index/advancedCluster:AdvancedCluster")
ACCESS = "mongodbatlas:index/projectIpAccessList:ProjectIpAccessList"
INPUTS: dict[str, Any] = {
    "name": "Kingdom",
    "projectId": "0" * 24,
    "clusterType": "REPLICASET",
    "replicationSpecs": [
        {"regionConfigs": [{"regionName": "WESTERN_EUROPE", "providerName": "GCP", "priority": 7}]}
    ],
}


def test_cluster_has_connection_strings_of_its_name_and_project(atlas: Calls) -> None:
    strings = unwrap(atlas.create(CLUSTER, INPUTS).outputs["connectionStrings"])
    label = re.fullmatch(r"mongodb\+srv://kingdom\.([0-9a-f]{5})\.mongodb\.net", strings["standardSrv"])
    assert label
    assert strings["standard"].count(f".{label[1]}.mongodb.net:27017") == 3
    assert "authSource=admin&replicaSet=atlas-" in strings["standard"]
    [endpoint] = strings["privateEndpoints"]
    assert endpoint["srvConnectionString"] == f"mongodb+srv://kingdom-pl-0.{label[1]}.mongodb.net"
    assert endpoint["endpoints"][0]["region"] == "WESTERN_EUROPE"


def test_specs_of_the_cluster_are_given_a_zone(atlas: Calls) -> None:
    [spec] = atlas.create(CLUSTER, INPUTS).outputs["replicationSpecs"]
    assert spec["zoneName"] == "Zone 1"
    assert spec["regionConfigs"][0]["regionName"] == "WESTERN_EUROPE"


def test_cluster_with_termination_protection_is_not_deleted(atlas: Calls) -> None:
    with pytest.raises(ProviderError, match="terminationProtectionEnabled is set"):
        atlas.delete(CLUSTER, "id", INPUTS | {"terminationProtectionEnabled": True})
    atlas.delete(CLUSTER, "id", INPUTS | {"terminationProtectionEnabled": False})


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"ipAddress": "192.0.2.1"}, ("192.0.2.1/32", "192.0.2.1")),
        ({"cidrBlock": "192.0.2.0/24"}, ("192.0.2.0/24", "192.0.2.0")),
        ({"awsSecurityGroup": "sg-1"}, (None, None)),
    ],
)
def test_entry_of_the_access_list_has_address_and_block(
    inputs: dict[str, str], expected: tuple[str | None, str | None]
) -> None:
    found = provider("mongodbatlas").curated(ACCESS, "id", inputs)
    assert (found["cidrBlock"], found["ipAddress"]) == expected


def test_certificate_names_its_user_and_is_replaced_by_that_of_the_host() -> None:
    token = "mongodbatlas:index/x509AuthenticationDatabaseUser:X509AuthenticationDatabaseUser"
    cloud = provider("mongodbatlas")
    found = cloud.curated(token, "id", {"username": "CN=service", "projectId": "p"})
    assert found["certificates"][0]["subject"] == "CN=service"
    assert "BEGIN CERTIFICATE" in found["currentCertificate"]
    assert cloud.curated(token, "", {"username": "service"})["currentCertificate"] == ""
    assert cloud.as_declared(token, {"certificate": "real"}) == {"currentCertificate": Secret("real")}


def test_service_account_exists_for_google_cloud_only() -> None:
    token = "mongodbatlas:index/cloudProviderAccessSetup:CloudProviderAccessSetup"
    cloud = provider("mongodbatlas")
    [account] = cloud.curated(token, "id", {"providerName": "GCP"})["gcpConfigs"]
    assert account["serviceAccountForAtlas"].startswith("mongodb-atlas-")
    assert cloud.curated(token, "id", {"providerName": "AWS"}) == {}


def test_project_is_found_by_its_name(atlas: Calls) -> None:
    token = "mongodbatlas:index/getProject:getProject"
    found = atlas.invoke(token, {"name": "kingdom"})
    assert re.fullmatch(r"[0-9a-f]{24}", found["id"])
    assert atlas.invoke(token, {"name": "kingdom"}) == found
    assert atlas.invoke(token, {"projectId": "1" * 24})["projectId"] == "1" * 24
