"""The identities of GitHub workflows: which job may impersonate which account, and their rights."""

from __future__ import annotations

import re

from infra.delivery.github_deployer import grantable
from tests.infra.rehearsal import Declared, configuration

DEPLOYER, READER = "delivery-deployer", "delivery-deployer-reader"


def roles(declared: Declared, account: str) -> set[str]:
    """Roles on the project of the deployer or the reader."""
    return {
        item["role"]
        for name, item in declared.of("projects/iAMMember:IAMMember").items()
        if item["member"].startswith(f"serviceAccount:{account}@")
    }


def test_only_the_ref_and_environment_of_the_settings_may_deploy(declared: Declared) -> None:
    settings = configuration(declared.stack)["kingdom:delivery"]
    condition = declared.one("WorkloadIdentityPoolProvider")["attributeCondition"]
    subject, stack = f"repo:{settings['github']}:environment:{declared.stack}", declared.stack
    assert condition.split(" && ") == [
        f"assertion.sub in ['{subject}', '{subject}-read']",
        f"assertion.repository == '{settings['github']}'",
        f"assertion.ref == '{settings['ref']}'",
        f"assertion.environment in ['{stack}', '{stack}-read']",
    ]


def test_the_condition_names_only_mapped_or_standard_claims(declared: Declared) -> None:
    provider = declared.one("WorkloadIdentityPoolProvider")
    assert provider["attributeMapping"]["google.subject"] == "assertion.sub"
    # The grants select the jobs by this attribute.
    assert provider["attributeMapping"]["attribute.environment"] == "assertion.environment"
    claims = set(re.findall(r"assertion\.(\w+)", provider["attributeCondition"]))
    assert claims == {"sub", "repository", "ref", "environment"}


def test_each_account_is_for_one_github_environment(declared: Declared) -> None:
    admitted = {
        name: item["member"].rpartition("/attribute.environment/")[2]
        for name, item in declared.of("IAMMember").items()
        if item["role"] == "roles/iam.workloadIdentityUser" and "principalSet" in str(item["member"])
    }
    assert admitted == {
        f"{DEPLOYER}-github": declared.stack,
        f"{READER}-github": f"{declared.stack}-read",
    }


def test_the_reader_changes_nothing_and_reads_no_secret_or_object(declared: Declared) -> None:
    found = roles(declared, "kingdom-reader")
    assert found
    assert not [
        role for role in found if re.search(r"[aA]dmin|[eE]ditor|[wW]riter|[aA]ccessor|[oO]wner", role)
    ]
    assert not found & {"roles/viewer", "roles/storage.objectViewer", "roles/datastore.viewer"}


def test_the_deployer_cannot_widen_its_own_rights(declared: Declared) -> None:
    found = roles(declared, "kingdom-deployer")
    assert not found & {"roles/owner", "roles/editor", "roles/iam.securityAdmin"}
    (grants,) = [
        item
        for item in declared.of("IAMMember").values()
        if item["role"] == "roles/resourcemanager.projectIamAdmin"
    ]
    expression = grants["condition"]["expression"]
    assert "modifiedGrantsByRole" in expression
    allowed = {part for part in expression.split("'") if part.startswith("roles/")}
    assert allowed
    assert not allowed & found


def test_the_deployer_may_grant_every_role_that_the_program_grants_on_the_project(declared: Declared) -> None:
    expression = declared.one("projects/iAMMember:IAMMember", f"{DEPLOYER}-grants")["condition"]["expression"]
    granted = {
        item["role"]
        for name, item in declared.of("projects/iAMMember:IAMMember").items()
        if not name.startswith(DEPLOYER)
    }
    assert granted
    assert all(f"'{role}'" in expression for role in granted)


def test_the_grant_condition_lists_roles_in_a_stable_order() -> None:
    assert grantable(["roles/b", "roles/a"]) == (
        "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['roles/a', 'roles/b'])"
    )


def test_the_deployer_acts_as_the_account_of_nodes_and_no_other(declared: Declared) -> None:
    users = [
        item
        for item in declared.of("serviceaccount/iAMMember:IAMMember").values()
        if item["role"] == "roles/iam.serviceAccountUser"
    ]
    assert [item["serviceAccountId"].rpartition("/")[2].partition("@")[0] for item in users] == [
        "kingdom-nodes"
    ]
    assert "roles/iam.serviceAccountUser" not in roles(declared, "kingdom-deployer")


def test_the_deployer_has_no_key(declared: Declared) -> None:
    assert not any(item.type.endswith(":Key") for item in declared.resources if "serviceaccount" in item.type)
