"""Providers by package."""

from __future__ import annotations

import pytest

from rehearsal.providers import CLOUDS, PACKAGES, provider
from rehearsal.providers.base import Cloud
from rehearsal.providers.dynamic import PACKAGE, DynamicProvider
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
