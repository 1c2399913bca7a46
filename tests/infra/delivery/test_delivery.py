"""Releases: images that stay what they were, and one workflow that may deploy them."""

from __future__ import annotations

import re

import pytest

from tests.infra.rehearsal import Declared, configuration
from tests.infra.settings.test_settings import setting_problems

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


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


def test_each_account_is_for_one_github_environment(declared: Declared) -> None:
    admitted = {
        name: item["member"].rpartition("/attribute.environment/")[2]
        for name, item in declared.of("IAMMember").items()
        if item["role"] == "roles/iam.workloadIdentityUser" and "principalSet" in str(item["member"])
    }
    assert admitted == {
        "delivery-deployer-github": declared.stack,
        "delivery-deployer-reader-github": f"{declared.stack}-read",
    }


def test_the_reader_changes_nothing_and_reads_no_secret(declared: Declared) -> None:
    roles = {
        item["role"]
        for name, item in declared.of("IAMMember").items()
        if name.startswith("delivery-deployer-reader") and not name.endswith("-github")
    }
    assert roles
    assert not [
        role for role in roles if re.search(r"[aA]dmin|[eE]ditor|[wW]riter|[aA]ccessor|[oO]wner", role)
    ]


def test_the_deployer_cannot_widen_its_own_rights(declared: Declared) -> None:
    granted = declared.of("IAMMember")
    roles = {name: item["role"] for name, item in granted.items()}
    assert not set(roles.values()) & {"roles/owner", "roles/editor", "roles/iam.securityAdmin"}
    admin = [item for item in granted.values() if item["role"] == "roles/resourcemanager.projectIamAdmin"]
    assert len(admin) == 1
    expression = admin[0]["condition"]["expression"]
    assert "modifiedGrantsByRole" in expression
    allowed = {part for part in expression.split("'") if part.startswith("roles/")}
    mine = {
        role for name, role in roles.items() if name.startswith("delivery-deployer") and "-reader" not in name
    }
    assert not allowed & mine


def test_the_deployer_has_no_key(declared: Declared) -> None:
    assert not any(item.type.endswith(":Key") for item in declared.resources if "serviceaccount" in item.type)


def test_images_keep_their_tags_and_releases_stay(declared: Declared) -> None:
    repository = declared.one("Repository")
    assert repository["dockerConfig"] == {"immutableTags": True}
    retained = next(item for item in repository["cleanupPolicies"] if item["action"] == "KEEP")
    wanted = configuration(declared.stack)["kingdom:delivery"]["keepImages"]
    assert retained["mostRecentVersions"]["keepCount"] == wanted
    deleted = next(item for item in repository["cleanupPolicies"] if item["action"] == "DELETE")
    assert deleted["condition"] == {"tagState": "ANY", "olderThan": f"{30 * 86_400}s"}


def test_the_image_of_the_stack_is_in_its_own_registry(declared: Declared) -> None:
    repository = declared.one("Repository")
    image = configuration(declared.stack)["kingdom:workload"]["image"]["repository"]
    project = configuration(declared.stack)["gcp:project"]
    registry = f"{repository['location']}-docker.pkg.dev/{project}/{repository['repositoryId']}/"
    assert image.startswith(registry)


def test_an_image_from_elsewhere_is_refused() -> None:
    values = configuration("prod")
    values["kingdom:workload"]["image"]["repository"] = "docker.io/library/python"
    assert "must begin with europe-west1-docker.pkg.dev/kingdom-prod/" in "".join(
        setting_problems(values).values()
    )


def test_an_update_by_hand_leaves_the_deployed_image(declared: Declared) -> None:
    assert configuration(declared.stack)["kingdom:workload"]["image"]["digest"] == "deployed"
    for role in declared.of("Deployment"):
        ignored = declared.state("Deployment", role).ignore_changes
        assert tuple(ignored) == ("spec.template.spec.containers[0].image",), role
    if declared.stack != "local":
        ignored = declared.state("CronJob", "monitor").ignore_changes
        assert tuple(ignored) == ("spec.jobTemplate.spec.template.spec.containers[0].image",)
