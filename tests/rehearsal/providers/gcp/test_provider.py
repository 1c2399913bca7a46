"""Google Cloud: ids from templates, grants, labels, and protected resources."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rehearsal.providers import provider
from rehearsal.pulumi.properties import UNKNOWN, Secret
from tests.rehearsal.providers.calls import PROJECT, REGION, Calls, urn

ACCOUNT = "gcp:serviceaccount/account:Account"
MEMBER = "gcp:projects/iAMMember:IAMMember"


@pytest.mark.parametrize(
    ("token", "inputs", "id_"),
    [
        ("gcp:storage/bucket:Bucket", {"name": "media", "location": "EU"}, "media"),
        (
            "gcp:compute/network:Network",
            {"name": "main"},
            f"projects/{PROJECT}/global/networks/main",
        ),
        (
            "gcp:compute/subnetwork:Subnetwork",
            {"name": "nodes", "region": "us-east1"},
            f"projects/{PROJECT}/regions/us-east1/subnetworks/nodes",
        ),
        (
            "gcp:redis/instance:Instance",
            {"name": "cache", "project": "other"},
            f"projects/other/locations/{REGION}/instances/cache",
        ),
        (
            ACCOUNT,
            {"accountId": "deployer"},
            f"projects/{PROJECT}/serviceAccounts/deployer@{PROJECT}.iam.gserviceaccount.com",
        ),
        (
            MEMBER,
            {"project": PROJECT, "role": "roles/viewer", "member": "user:a"},
            f"{PROJECT}/roles/viewer/user:a",
        ),
    ],
)
def test_id_has_the_form_of_its_api(gcp: Calls, token: str, inputs: dict[str, Any], id_: str) -> None:
    assert gcp.create(urn(token), inputs).id == id_


def test_number_in_an_id_follows_from_the_urn(gcp: Calls) -> None:
    token = "gcp:monitoring/alertPolicy:AlertPolicy"
    first, again, other = (gcp.create(urn(token, name), {}).id for name in ("a", "a", "b"))
    assert re.fullmatch(rf"projects/{PROJECT}/alertPolicies/\d+", first)
    assert first == again != other


def test_every_property_of_a_grant_replaces_it(gcp: Calls) -> None:
    old = {"project": PROJECT, "role": "roles/viewer", "member": "user:a"}
    assert list(gcp.diff(urn(MEMBER), old, old | {"role": "roles/editor"}).replaces) == ["role"]
    assert list(gcp.diff(urn(MEMBER), old, old | {"member": "user:b"}).replaces) == ["member"]


def test_address_of_a_service_account_is_known_before_it_exists(gcp: Calls) -> None:
    email = f"deployer@{PROJECT}.iam.gserviceaccount.com"
    outputs = gcp.create(urn(ACCOUNT), {"accountId": "deployer"}, preview=True).outputs
    assert (outputs["email"], outputs["member"]) == (email, f"serviceAccount:{email}")
    outputs = gcp.create(urn(ACCOUNT), {"accountId": UNKNOWN}, preview=True).outputs
    assert outputs["email"] is UNKNOWN


def test_created_resources_are_labelled(gcp: Calls) -> None:
    bucket = urn("gcp:storage/bucket:Bucket")
    marked = {"goog-pulumi-provisioned": "true"}
    inputs = {"name": "media", "location": "EU"}
    assert gcp.create(bucket, inputs).outputs["effectiveLabels"] == Secret(marked)
    labels = {"team": "platform"}
    outputs = gcp.create(bucket, inputs | {"labels": labels}).outputs
    assert outputs["labels"] == labels
    assert outputs["effectiveLabels"] == Secret(labels | marked)
    assert gcp.create(bucket, inputs | {"labels": UNKNOWN}, preview=True).outputs[
        "effectiveLabels"
    ] == Secret(UNKNOWN)


def test_self_link_is_given_to_compute_resources_only(gcp: Calls) -> None:
    cloud = provider("gcp")
    assert cloud.curated("gcp:compute/route:Route", "projects/p/global/routes/r", {}) == {
        "selfLink": "https://www.googleapis.com/compute/v1/projects/p/global/routes/r"
    }
    assert cloud.curated("gcp:dns/policy:Policy", "id", {}) == {}


@pytest.mark.parametrize(("value", "refused"), [(True, True), (False, False), (None, False)])
def test_protected_resource_is_refused(value: bool | None, refused: bool) -> None:
    reason = provider("gcp").refuse_delete("gcp:container/cluster:Cluster", {"deletionProtection": value})
    assert (reason is not None) == refused


def test_app_has_the_id_of_its_platform(gcp: Calls) -> None:
    def app_id(kind: str) -> str:
        token = f"gcp:firebase/{kind[0].lower()}{kind[1:]}:{kind}"
        return str(gcp.create(urn(token), {"project": PROJECT}).outputs["appId"])

    assert re.fullmatch(r"1:\d{12}:android:[0-9a-f]{22}", app_id("AndroidApp"))
    assert ":ios:" in app_id("AppleApp")
    assert ":web:" in app_id("WebApp")
