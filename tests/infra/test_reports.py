"""The bucket of reports and the identity of the monitor, which has exactly two roles."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.infra.rehearsal import Declared, configuration, name_of

ACCOUNT = "kingdom-monitor@kingdom-prod.iam.gserviceaccount.com"


def test_the_identity_has_two_roles(prod: Declared) -> None:
    granted = {
        (item.type.rpartition(":")[2], item.inputs["role"], item.inputs.get("bucket"))
        for item in prod.resources
        if item.inputs.get("member") == f"serviceAccount:{ACCOUNT}"
    }
    assert granted == {
        ("IAMMember", "roles/monitoring.viewer", None),
        ("BucketIAMMember", "roles/storage.objectCreator", "kingdom-prod-reports"),
    }


def test_only_the_account_of_the_monitor_acts_as_the_identity(prod: Declared) -> None:
    (member,) = [
        item.inputs["member"]
        for item in prod.resources
        if item.type.endswith("serviceaccount/iAMMember:IAMMember")
        and ACCOUNT in item.inputs["serviceAccountId"]
    ]
    account = prod.one("ServiceAccount", "monitor")["metadata"]
    assert member == f"serviceAccount:kingdom-prod.svc.id.goog[{account['namespace']}/{account['name']}]"
    assert account["annotations"] == {"iam.gke.io/gcp-service-account": ACCOUNT}


def test_no_other_identity_has_a_role_on_the_bucket(prod: Declared) -> None:
    members = {
        item["member"]
        for item in prod.of("BucketIAMMember").values()
        if item["bucket"] == "kingdom-prod-reports"
    }
    assert members == {f"serviceAccount:{ACCOUNT}"}


def test_the_bucket_is_private_and_recoverable_under_its_own_key(prod: Declared) -> None:
    bucket = prod.one("Bucket", "reports")
    assert bucket["publicAccessPrevention"] == "enforced"
    assert bucket["uniformBucketLevelAccess"]
    assert bucket["versioning"] == {"enabled": True}
    assert bucket["encryption"]["defaultKmsKeyName"].endswith(
        "/locations/europe-west1/keyRings/kingdom/cryptoKeys/reports"
    )
    assert bucket["location"] == "EUROPE-WEST1"
    assert "cors" not in bucket


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_reports_are_deleted_after_the_configured_days(
    stack_of: Callable[[str], Declared], stack: str
) -> None:
    rules = stack_of(stack).one("Bucket", "reports")["lifecycleRules"]
    ages = [rule["condition"]["age"] for rule in rules if rule["condition"].get("withState") == "LIVE"]
    assert ages == [configuration(stack)["kingdom:observability"]["monitor"]["keepDays"]]


def test_one_machine_has_neither_monitor_nor_key_for_reports(stack_of: Callable[[str], Declared]) -> None:
    local = stack_of("local")
    types = {item.type for item in local.resources}
    assert "kubernetes:batch/v1:CronJob" not in types
    assert not {"keys-reports", "reports"} & {name_of(item.urn) for item in local.resources}
