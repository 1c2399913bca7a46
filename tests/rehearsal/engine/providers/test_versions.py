"""Versions of installed SDKs."""

from __future__ import annotations

import importlib.metadata

from rehearsal.engine.providers.versions import installed_version


def test_version_is_that_of_the_installed_sdk() -> None:
    assert installed_version("random") == importlib.metadata.version("pulumi_random")


def test_package_without_an_installed_sdk_has_no_version() -> None:
    assert installed_version("toy") == ""
