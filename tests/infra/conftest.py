"""Each stack is rehearsed once for all tests of the program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.infra.rehearsal import STACKS, Declared, configuration, merge, rehearse

# Settings of production that differ from every stack file.
VARIATIONS: dict[str, Any] = {
    "kingdom:identity": {"sessionKeyGeneration": 3},
    "kingdom:mail": {"server": "smtp://mail.example.com", "confirmAddresses": False, "passwordVersion": 3},
    "kingdom:edge": {
        "plan": "enterprise",
        "hstsSeconds": 0,
        "imageFormats": [],
        "cacheReserve": False,
        "standby": {"iowa": {"hostname": "origin-us.kingdom.studio", "weightPercent": 20}},
    },
    "kingdom:workload": {"image": {"digest": f"sha256:{'a' * 64}"}, "algorithm": "weighted"},
    "kingdom:observability": {"objectives": {"availabilityPercent": 99.5, "fastPercent": 90}},
}


@pytest.fixture(scope="session")
def stack_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Declared]:
    """Return the declared resources of a stack, by its name."""
    known: dict[str, Declared] = {}

    def declared(name: str) -> Declared:
        if name not in known:
            known[name] = rehearse(name, tmp_path_factory.mktemp(name))
        return known[name]

    return declared


@pytest.fixture(params=STACKS)
def declared(request: pytest.FixtureRequest, stack_of: Callable[[str], Declared]) -> Declared:
    """The declared resources of each stack, one after the other."""
    return stack_of(request.param)


@pytest.fixture
def prod(stack_of: Callable[[str], Declared]) -> Declared:
    """The declared resources of production."""
    return stack_of("prod")


@pytest.fixture(scope="session")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Declared:
    """The declared resources of production with the settings of `VARIATIONS`."""
    values = configuration("prod")
    merge(values, VARIATIONS)
    return rehearse("prod", tmp_path_factory.mktemp("varied"), values)
