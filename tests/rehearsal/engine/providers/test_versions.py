"""Versions of installed SDKs."""

from __future__ import annotations

import importlib.metadata

import pytest

from rehearsal.engine.providers.versions import VersionError, check_version, installed_version


def test_version_is_that_of_the_installed_sdk() -> None:
    assert installed_version("random") == importlib.metadata.version("pulumi_random")


def test_package_without_an_installed_sdk_has_no_version() -> None:
    assert installed_version("toy") == ""


@pytest.mark.parametrize("version", ["", "1.2.3", "0.0.0", "1.2.3-alpha.1", "1.2.3-rc-1+build.5", "9.1.0+x"])
def test_semantic_versions_are_accepted(version: str) -> None:
    check_version(version)


@pytest.mark.parametrize(
    "version", ["nonsense", "1.2", "v1.2.3", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3\n", " 1.2.3", "1.2.x"]
)
def test_other_versions_are_an_error(version: str) -> None:
    with pytest.raises(VersionError, match="not a semantic version"):
        check_version(version)
