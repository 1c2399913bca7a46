"""Functions of Google Cloud."""

from __future__ import annotations

import pytest

from rehearsal.providers.gcp.functions import FUNCTIONS
from rehearsal.providers.gcp.outputs import number_of
from rehearsal.providers.outputs import Place
from tests.rehearsal.providers.calls import PROJECT, REGION, Calls

PLACE = Place(PROJECT, REGION, "europe-west1-b")
VERSIONS = "gcp:container/getEngineVersions:getEngineVersions"


def test_zones_are_those_of_the_region(gcp: Calls) -> None:
    token = "gcp:compute/getZones:getZones"
    assert gcp.invoke(token, {})["names"] == [f"{REGION}-b", f"{REGION}-c", f"{REGION}-d"]
    assert gcp.invoke(token, {"region": "us-east1"})["names"][0] == "us-east1-b"


def test_project_has_one_number_everywhere(gcp: Calls) -> None:
    own = gcp.invoke("gcp:organizations/getProject:getProject", {})
    assert (own["projectId"], own["number"]) == (PROJECT, number_of(PROJECT))
    [listed] = gcp.invoke("gcp:projects/getProject:getProject", {"filter": "x"})["projects"]
    assert listed["number"] == own["number"]
    other = gcp.invoke("gcp:organizations/getProject:getProject", {"projectId": "other"})
    assert other["number"] != own["number"]


def test_engine_versions_are_newest_first_and_match_the_prefix(gcp: Calls) -> None:
    found = gcp.invoke(VERSIONS, {"location": REGION})
    assert found["validMasterVersions"] == sorted(found["validMasterVersions"], reverse=True)
    assert found["latestMasterVersion"] == found["releaseChannelLatestVersion"]["RAPID"]
    assert found["defaultClusterVersion"] == found["releaseChannelDefaultVersion"]["REGULAR"]
    narrowed = gcp.invoke(VERSIONS, {"versionPrefix": "1.34."})
    assert [one[:5] for one in narrowed["validNodeVersions"]] == ["1.34."]
    assert gcp.invoke(VERSIONS, {"versionPrefix": "2."})["latestNodeVersion"] == ""


@pytest.mark.parametrize(
    ("token", "email"),
    [
        (
            "gcp:storage/getProjectServiceAccount:getProjectServiceAccount",
            f"service-{number_of(PROJECT)}@gs-project-accounts.iam.gserviceaccount.com",
        ),
        (
            "gcp:compute/getDefaultServiceAccount:getDefaultServiceAccount",
            f"{number_of(PROJECT)}@developer.gserviceaccount.com",
        ),
        (
            "gcp:storage/getTransferProjectServiceAccount:getTransferProjectServiceAccount",
            f"project-{number_of(PROJECT)}@storage-transfer-service.iam.gserviceaccount.com",
        ),
    ],
)
def test_service_agents_are_named_by_the_project_number(token: str, email: str) -> None:
    found = FUNCTIONS[token]({}, PLACE)
    assert (found["email"], found["member"]) == (email, f"serviceAccount:{email}")


@pytest.mark.parametrize("account", ["deployer", f"deployer@{PROJECT}.iam.gserviceaccount.com"])
def test_service_account_is_found_by_id_or_address(gcp: Calls, account: str) -> None:
    found = gcp.invoke("gcp:serviceaccount/getAccount:getAccount", {"accountId": account})
    assert found["email"] == f"deployer@{PROJECT}.iam.gserviceaccount.com"
    assert found["name"].endswith(f"projects/{PROJECT}/serviceAccounts/{found['email']}")


def test_client_is_configured_as_the_provider(gcp: Calls) -> None:
    found = FUNCTIONS["gcp:organizations/getClientConfig:getClientConfig"]({}, PLACE)
    assert (found["project"], found["region"], found["zone"]) == (PROJECT, REGION, PLACE.zone)
