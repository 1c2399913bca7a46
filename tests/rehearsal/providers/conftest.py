"""One provider of each package for all tests; providers have no state except their configuration."""

from __future__ import annotations

import pytest

from tests.rehearsal.providers.calls import Calls


@pytest.fixture(scope="session")
def gcp() -> Calls:
    return Calls.of("gcp")


@pytest.fixture(scope="session")
def kubernetes() -> Calls:
    return Calls.of("kubernetes")


@pytest.fixture(scope="session")
def atlas() -> Calls:
    return Calls.of("mongodbatlas")


@pytest.fixture(scope="session")
def cloudflare() -> Calls:
    return Calls.of("cloudflare")


@pytest.fixture(scope="session")
def random() -> Calls:
    return Calls.of("random")
