"""The accounts of a load test: one secret, which its identity reads and no other."""

from __future__ import annotations

import json

from tests.infra.rehearsal import Declared

ACCOUNT = "kingdom-loadtest@kingdom-prod.iam.gserviceaccount.com"


def test_the_identity_reads_one_secret(with_load_test: Declared) -> None:
    granted = {
        (item.type.rpartition(":")[2], item.inputs["role"], item.inputs.get("secretId", "").split("/")[-1])
        for item in with_load_test.resources
        if item.inputs.get("member") == f"serviceAccount:{ACCOUNT}"
    }
    assert granted == {("SecretIamMember", "roles/secretmanager.secretAccessor", "kingdom-loadtest-accounts")}
    readers = {
        item["member"]
        for item in with_load_test.of("SecretIamMember").values()
        if item["secretId"].endswith("kingdom-loadtest-accounts")
    }
    assert readers == {f"serviceAccount:{ACCOUNT}"}


def test_only_the_account_of_the_load_test_acts_as_the_identity(with_load_test: Declared) -> None:
    (member,) = [
        item["member"]
        for item in with_load_test.of("serviceaccount/iAMMember:IAMMember").values()
        if ACCOUNT in item["serviceAccountId"]
    ]
    assert member == "serviceAccount:kingdom-prod.svc.id.goog[kingdom-loadtest/loadtest]"


def test_no_state_has_the_accounts(with_load_test: Declared) -> None:
    assert not [name for name in with_load_test.of("SecretVersion") if "loadtest" in name]
    mounts = with_load_test.one("SecretProviderClass", "loadtest-job-accounts")["spec"]["parameters"]
    (secret,) = json.loads(mounts["secrets"])
    assert secret["path"] == "loadtest-accounts"
    assert secret["resourceName"].endswith("/secrets/kingdom-loadtest-accounts/versions/1")
