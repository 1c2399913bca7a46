"""The files of facts: one line for each type, parsed when it is read."""

from __future__ import annotations

import pytest

from rehearsal.providers.constraints import facts


@pytest.mark.parametrize("package", facts.PACKAGES)
def test_every_rule_of_an_api_is_about_an_attribute_that_the_provider_has(package: str) -> None:
    lines = facts._lines(f"{package}_api")
    assert facts.api(package).endswith("API")
    for name in filter(None, lines):
        found = facts.read(package, name)
        assert found is not None, name
        assert found.api.keys() <= found.attributes.keys(), name


def test_attributes_are_listed_below_their_parent() -> None:
    found = facts.read("gcp", "google_secret_manager_secret")
    assert found is not None
    assert "rotation_period" in found.children["rotation"]


def test_a_type_or_package_without_facts_is_none() -> None:
    assert facts.read("gcp", "google_nothing") is None
    assert facts.read("kubernetes", "pod") is None
    assert facts.types("kubernetes") == ()
