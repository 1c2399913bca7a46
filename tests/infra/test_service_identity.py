"""Google identities of the roles, and the secrets that exactly these may read."""

from __future__ import annotations

from collections import defaultdict

import pytest

from infra.service_identity import secret_id
from infra.settings.roles import ROLES
from rehearsal.pulumi.properties import unwrap
from tests.infra.rehearsal import Declared, configuration


def mounted(declared: Declared) -> str:
    parameters: dict[str, str] = declared.one("SecretProviderClass", "api-secrets")["spec"]["parameters"]
    return parameters["secrets"]


def test_pods_mount_exact_versions_of_secrets(declared: Declared) -> None:
    assert "/versions/latest" not in mounted(declared)
    values = configuration(declared.stack)
    secrets = 4 + bool(values["kingdom:mail"]["passwordVersion"])
    # The AUTH string and the authority of each Redis of its own.
    separate = 2 * len(values["kingdom:cache"].get("separate", {}))
    assert mounted(declared).count("/versions/") == secrets + separate


def account(declared: Declared, role: str) -> str:
    project = configuration(declared.stack)["gcp:project"]
    return f"serviceAccount:kingdom-{role}@{project}.iam.gserviceaccount.com"


@pytest.mark.parametrize("role", list(ROLES))
def test_a_role_reads_secrets_and_uses_the_bucket_and_nothing_else(declared: Declared, role: str) -> None:
    granted = {
        (item.type.rpartition(":")[2], item.inputs["role"])
        for item in declared.resources
        if item.inputs.get("member") == account(declared, role)
    }
    assert granted == {
        ("BucketIAMMember", "roles/storage.objectUser"),
        ("SecretIamMember", "roles/secretmanager.secretAccessor"),
    }


def test_each_secret_is_readable_by_the_roles_of_the_service_only(declared: Declared) -> None:
    readers: dict[str, set[str]] = defaultdict(set)
    for grant in declared.of("SecretIamMember").values():
        readers[grant["secretId"].rpartition("/")[2]].add(grant["member"])
    assert readers.keys() == {secret["secretId"] for secret in declared.of("Secret").values()}
    expected = {account(declared, role) for role in ROLES}
    assert {name: found for name, found in readers.items() if found != expected} == {}


@pytest.mark.parametrize("role", list(ROLES))
def test_only_the_kubernetes_account_of_the_same_name_acts_as_a_role(declared: Declared, role: str) -> None:
    values = configuration(declared.stack)
    grant = declared.one("serviceaccount/iAMMember:IAMMember", f"identity-{role}-workload")
    assert grant["role"] == "roles/iam.workloadIdentityUser"
    namespace = values["kingdom:workload"]["namespace"]
    assert grant["member"] == f"serviceAccount:{values['gcp:project']}.svc.id.goog[{namespace}/{role}]"
    assert (
        grant["serviceAccountId"] == declared.state("serviceaccount/account:Account", f"identity-{role}").id
    )


def test_a_removed_version_stays_readable_where_data_is_protected(declared: Declared) -> None:
    protect = configuration(declared.stack)["kingdom:environment"]["protect"]
    expected = "ABANDON" if protect else "DELETE"
    assert {each["deletionPolicy"] for each in declared.of("SecretVersion").values()} == {expected}
    assert {each["deletionProtection"] for each in declared.of("Secret").values()} == {protect}


def test_secrets_stay_in_the_region_under_their_own_key(declared: Declared) -> None:
    key = declared.state("CryptoKey", "keys-secrets").id
    for name, secret in declared.of("Secret").items():
        (replica,) = secret["replication"]["userManaged"]["replicas"]
        assert replica["location"] == configuration(declared.stack)["gcp:region"], name
        assert replica["customerManagedEncryption"] == {"kmsKeyName": key}, name


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("redis-auth", "kingdom-redis-auth"),
        ("redis-ca.pem", "kingdom-redis-ca"),
        ("mongodb-client.pem", "kingdom-mongodb-client"),
    ],
)
def test_a_secret_is_named_by_its_file(file: str, name: str) -> None:
    assert secret_id(file) == name


def keys(declared: Declared) -> list[str]:
    return str(declared.one("SecretVersion", "identity-kingdom-session-key")["secretData"]).split("\n")


def generated(declared: Declared, generation: int) -> str:
    outputs = declared.state("RandomPassword", f"identity-session-key-{generation}").outputs
    return str(unwrap(outputs["result"]))


def test_the_first_generation_signs_and_the_next_is_known(prod: Declared) -> None:
    assert keys(prod) == [generated(prod, 1), generated(prod, 2)]


def test_a_later_generation_verifies_the_sessions_of_the_one_before(varied: Declared) -> None:
    # The stack has generation 3: it signs, 4 is known before it signs, 2 has signed current sessions.
    assert keys(varied) == [generated(varied, 3), generated(varied, 4), generated(varied, 2)]
    assert all(len(key) == 64 for key in keys(varied))
    assert "identity-session-key-1" not in varied.of("RandomPassword")


def test_pods_wait_for_the_right_to_read_each_secret(prod: Declared) -> None:
    grants = {f"SecretIamMember {name}" for name in prod.of("SecretIamMember")}
    for role in ROLES:
        assert grants <= prod.waits_for("SecretProviderClass", f"{role}-secrets")
