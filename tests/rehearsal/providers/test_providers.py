"""Providers by package."""

from __future__ import annotations

import pulumi
import pulumi_mongodbatlas
import pytest

from rehearsal.providers import CLOUDS, PACKAGES, provider, read_types
from rehearsal.providers.base import Cloud
from rehearsal.providers.dynamic import PACKAGE, DynamicProvider
from rehearsal.providers.schema import ListOf, ObjectType, resource_type
from tests.rehearsal.providers.test_base import FakeHost


@pytest.mark.parametrize("package", CLOUDS)
def test_cloud_is_that_of_its_package_with_the_given_host(package: str) -> None:
    host = FakeHost()
    found = provider(package, host)
    assert isinstance(found, Cloud)
    assert found.package == package
    assert found.machine is host
    assert provider(package).machine is None


def test_dynamic_providers_are_not_served_to_the_cli() -> None:
    assert isinstance(provider(PACKAGE), DynamicProvider)
    assert set(PACKAGES) - set(CLOUDS) == {PACKAGE}


def test_other_packages_are_unknown() -> None:
    with pytest.raises(KeyError):
        provider("aws")


def test_types_that_were_read_are_not_resolved_again(monkeypatch: pytest.MonkeyPatch) -> None:
    resource_type.cache_clear()  # an earlier test may have read it
    for cls in (pulumi_mongodbatlas.AdvancedCluster, pulumi.CustomResource, dict):
        read_types(cls)
    declared = resource_type("mongodbatlas:index/advancedCluster:AdvancedCluster")
    assert declared is not None

    def again(*_: object) -> None:
        raise AssertionError("resolved again")

    monkeypatch.setattr("rehearsal.providers.schema.resolve", again)
    monkeypatch.setattr("rehearsal.providers.schema._admits_none", again)
    assert declared.inputs.fields["clusterType"].required
    specs = declared.inputs.fields["replicationSpecs"].type
    assert isinstance(specs, ListOf)
    assert isinstance(specs.element, ObjectType)
    assert isinstance(specs.element.fields["regionConfigs"].type, ListOf)
    assert not declared.outputs["stateName"].optional
