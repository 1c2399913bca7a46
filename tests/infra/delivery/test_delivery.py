"""Releases: immutable images, and one workflow that may deploy them."""

from __future__ import annotations

import pytest

from tests.infra.rehearsal import Declared, configuration

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_tags_are_immutable_and_releases_are_retained(declared: Declared) -> None:
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
